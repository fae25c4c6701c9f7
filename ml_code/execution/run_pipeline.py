"""The work of a push: test the model, package the code, update the pipeline if it changed, start it, follow it to the end."""

import argparse
import json
import os
import re
import shlex
import sys
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ml_code.contracts import (
    VERSION_NUMBER,
    Parameter,
    Prefix,
    Step,
    Variable,
    of_model,
)
from ml_code.execution import job_wheels, source_archive, stack_assertions
from ml_code.execution.inputs import Training, model_inputs, write_training
from ml_code.execution.job_wheels import Pin, WheelsError
from ml_code.execution.model_tests import failing_models
from ml_code.execution.objects import exists
from ml_code.execution.pipeline_execution import (
    Snapshot,
    describe_processing_job,
    explain_failure,
    follow,
    snapshot,
)
from ml_code.execution.progress import show
from ml_code.execution.raw_data import provide_data
from ml_code.execution.run_settings import RunError, RunSettings, read_settings
from ml_code.execution.stack_assertions import AssertionsFailedError, StackAssertions
from ml_code.execution.trigger import read_trigger
from ml_code.execution.turns import wait_for_turn
from ml_code.package_wheel import build_wheel
from ml_code.pipeline.definition import pipeline_definition
from ml_code.release.training_cost import cost_limit
from ml_code.s3_uri import bucket_and_key
from ml_code.spec import SpecError, load_spec
from ml_code.write_once import WriteOnceError, put_once, sha256

if TYPE_CHECKING:
    from types_boto3_codebuild import CodeBuildClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_sagemaker import SageMakerClient

RESULT_FILE = Path("pipeline-result.env")


@dataclass(frozen=True, kw_only=True)
class Clients:
    codebuild: "CodeBuildClient"
    s3: "S3Client"
    sagemaker: "SageMakerClient"
    logs: "CloudWatchLogsClient"


def run(settings: RunSettings, clients: Clients) -> int:
    with stack_assertions.started(clients.s3, settings.artifact_bucket) as assertions:
        try:
            return train(settings, clients, assertions)
        except AssertionsFailedError as error:
            _say(f"The tests of the CDK app failed: this commit goes no further. {error}")
            return 1


def train(settings: RunSettings, clients: Clients, assertions: StackAssertions) -> int:
    with ThreadPoolExecutor() as background:
        # The tests, pip and the SDK's import take seconds each, and do not need one another.
        tests = background.submit(failing_models, clients.s3, settings.artifact_bucket, [settings.model])
        wheels = background.submit(get_wheels, clients.s3, settings.artifact_bucket)
        spec = load_spec(name=settings.model)
        definition = pipeline_definition(spec, settings.pipeline)
        is_cluster = settings.pipeline.compute.preprocess.instance_count > 1
        pins = job_wheels.job_pins(spec.estimator, is_cluster=is_cluster)
        if tests.result():
            raise RunError(f"the tests of {settings.model} failed: nothing is trained")
        code_uri = upload_code(clients.s3, settings, wheels.result(), pins)
    data_version = provide_data(
        clients.s3, settings.data_bucket, settings.data_prefix, settings.model, settings.pipeline.compute
    )
    training = Training(
        inputs=model_inputs(
            Path(),
            settings.model,
            pins=pins,
            settings_json=settings.pipeline_json,
            data_version=data_version,
        ),
        commit=settings.commit,
        build_id=settings.build_id,
    )
    write_training(clients.s3, settings.artifact_bucket, settings.model, training)
    wait_for_turn(os.environ, clients.codebuild)
    update_pipeline(clients.sagemaker, settings.pipeline.pipeline_name, definition)
    assertions.check()
    _say(f"this training costs {cost_limit(json.loads(definition)['Steps'])}")
    execution_arn = start(clients.sagemaker, settings, code_uri=code_uri, data_version=data_version)
    _say(f"started {execution_arn}")
    training = replace(training, execution_arn=execution_arn)
    write_training(clients.s3, settings.artifact_bucket, settings.model, training)
    executions = follow(lambda: snapshot(clients.sagemaker, execution_arn))
    try:
        ended = show(assertions.checked(executions))
    except AssertionsFailedError:
        stop(clients.sagemaker, execution_arn)
        raise
    if ended.status != "Succeeded":
        for line in explain_failure(clients.sagemaker, clients.logs, ended):
            _say(line)
        return 1
    assertions.wait()
    write_result(registered_version(clients, ended), execution_arn)
    return 0


def get_wheels(s3: "S3Client", bucket: str) -> dict[str, bytes]:
    """The jobs' wheels, downloaded once for each content of requirements-job.lock and kept in the artifact bucket."""
    key = f"{Prefix.WHEELS}{job_wheels.cache_name()}/wheels.tar"
    if exists(s3, bucket, key):
        try:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            return job_wheels.unpack(body, job_wheels.read_lock())
        except WheelsError as error:
            raise RunError(
                f"s3://{bucket}/{key} is not what a build put there: {error}; find out who changed it, "
                "and delete it: the next build makes it anew"
            ) from error
    _say(f"downloading the wheels of {job_wheels.LOCK.name}")
    wheels = job_wheels.download()
    put_once(s3, bucket, key, job_wheels.pack(wheels))
    return wheels


def upload_code(s3: "S3Client", settings: RunSettings, wheels: Mapping[str, bytes], pins: list[Pin]) -> str:
    """The prefix with source.tar.gz and the entry point of processing jobs."""
    wheels = job_wheels.wheels_of(pins, wheels)
    requirements = job_wheels.job_requirements(wheels, pins)
    name, wheel = build_wheel()
    archive = source_archive.build_source_archive(
        source_archive.job_files(settings.model), requirements, {**wheels, name: wheel}
    )
    prefix = f"{of_model(Prefix.CODE, settings.model)}{settings.commit}/{sha256(archive)[:16]}/"
    put_once(s3, settings.artifact_bucket, f"{prefix}source.tar.gz", archive)
    entry_point = source_archive.ENTRY_POINT
    put_once(s3, settings.artifact_bucket, f"{prefix}{entry_point.name}", entry_point.read_bytes())
    _say(f"uploaded s3://{settings.artifact_bucket}/{prefix} ({len(archive):,} bytes)")
    return f"s3://{settings.artifact_bucket}/{prefix}"


def update_pipeline(sagemaker: "SageMakerClient", name: str, definition: str) -> None:
    try:
        deployed = sagemaker.describe_pipeline(PipelineName=name)
    except sagemaker.exceptions.ResourceNotFound as error:
        raise RunError(f"there is no SageMaker pipeline {name!r}: deploy the stack first") from error
    if json.loads(deployed["PipelineDefinition"]) == json.loads(definition):
        _say(f"pipeline {name} has this definition already")
        return
    sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=definition)
    _say(f"updated pipeline {name}")


def start(sagemaker: "SageMakerClient", settings: RunSettings, *, code_uri: str, data_version: str) -> str:
    parameters = {
        Parameter.CODE_URI: code_uri,
        Parameter.DATA_URI: settings.data_uri,
        Parameter.DATA_VERSION: data_version,
        Parameter.COMMIT_ID: settings.commit,
        Parameter.TRIGGER_REASON: settings.trigger_reason,
    }
    started = sagemaker.start_pipeline_execution(
        PipelineName=settings.pipeline.pipeline_name,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
        ClientRequestToken=settings.request_token,
    )
    return str(started["PipelineExecutionArn"])


def stop(sagemaker: "SageMakerClient", execution_arn: str) -> None:
    """Stop the execution and its jobs, and wait until it has stopped."""
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution_arn, ClientRequestToken=uuid.uuid4().hex)
    *_, ended = follow(lambda: snapshot(sagemaker, execution_arn))
    _say(f"{execution_arn} is {ended.status}")


def registered_version(clients: Clients, ended: Snapshot) -> str:
    """The version's number, from the file that the Register step wrote."""
    register = next(step for step in ended.steps if step["StepName"] == Step.REGISTER)
    job = describe_processing_job(clients.sagemaker, register)
    bucket, prefix = bucket_and_key(job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"])
    version = json.loads(clients.s3.get_object(Bucket=bucket, Key=f"{prefix}/version.json")["Body"].read())
    # The commit's own code wrote it.
    if not re.fullmatch(VERSION_NUMBER, str(version["version"])):
        raise RunError(
            f"version.json of {Step.REGISTER} has version {version['version']!r}, allowed is a number"
        )
    _say(f"registered {version['name']} version {version['version']}: {json.dumps(version['tags'])}")
    return str(version["version"])


def write_result(version: str, execution_arn: str) -> None:
    """Write the file that the buildspec sources, to export both to the delivery pipeline."""
    values = {Variable.MODEL_VERSION: version, Variable.EXECUTION_ARN: execution_arn}
    RESULT_FILE.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items()))


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commit", help="the commit of this code; in a build, CodeBuild says it")
    arguments = parser.parse_args()
    try:
        trigger = read_trigger(os.environ, boto3.client("codepipeline"))
        settings = read_settings(os.environ, arguments.commit, trigger)
        region = settings.pipeline.region
        clients = Clients(
            codebuild=boto3.client("codebuild", region_name=region),
            s3=boto3.client("s3", region_name=region),
            sagemaker=boto3.client("sagemaker", region_name=region),
            logs=boto3.client("logs", region_name=region),
        )
        sys.exit(run(settings, clients))
    except (RunError, SpecError, WheelsError, WriteOnceError, ClientError, BotoCoreError) as error:
        sys.exit(f"run_pipeline: {error}")


if __name__ == "__main__":
    main()
