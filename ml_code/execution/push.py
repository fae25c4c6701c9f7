"""The work of a push where there are several models: start the delivery of each whose inputs have changed."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ml_code.contracts import (
    REASON_CHARACTERS,
    DeliveryVariable,
    Prefix,
    Stage,
    Step,
    Variable,
    build_project_name,
    of_model,
)
from ml_code.execution import inputs, model_tests, stack_assertions
from ml_code.execution.inputs import Training
from ml_code.execution.job_wheels import job_pins
from ml_code.execution.raw_data import list_objects, version_of
from ml_code.execution.run_settings import RunError
from ml_code.execution.stack_assertions import AssertionsFailedError
from ml_code.execution.trigger import DEPLOYMENT, read_trigger
from ml_code.pipeline.settings import PipelineSettings
from ml_code.spec import SpecError, load_spec, model_folders

if TYPE_CHECKING:
    from types_boto3_codebuild import CodeBuildClient
    from types_boto3_codepipeline import CodePipelineClient
    from types_boto3_s3 import S3Client
    from types_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True, kw_only=True)
class Clients:
    codebuild: "CodeBuildClient"
    codepipeline: "CodePipelineClient"
    s3: "S3Client"
    sagemaker: "SageMakerClient"


@dataclass(frozen=True, kw_only=True)
class Buckets:
    data: str
    artifacts: str


def run(pipelines: Mapping[str, str], buckets: Buckets, commit: str, reason: str, clients: Clients) -> int:
    """`pipelines` are the deployed models with the names of their delivery pipelines."""
    _say_differences(pipelines)
    models = [folder.name for folder in model_folders() if folder.name in pipelines]
    failed = model_tests.failing_models(clients.s3, buckets.artifacts, models)
    with stack_assertions.started(clients.s3, buckets.artifacts) as assertions:
        assertions.wait()
    for model in models:
        if model in failed:
            print(f"{model}: its tests failed, it is not delivered", flush=True)
            continue
        try:
            why = _why(model, pipelines[model], buckets, clients)
        except (RunError, SpecError) as error:
            print(f"{model}: {error}", flush=True)
            failed.add(model)
            continue
        if why:
            _start(clients.codepipeline, pipelines[model], f"{reason}: {why}", commit)
            print(f"{model}: {why}; started {pipelines[model]}", flush=True)
        else:
            print(f"{model}: nothing of it has changed", flush=True)
    if failed:
        print(f"not delivered: {', '.join(sorted(failed))}", flush=True)
    return 1 if failed else 0


def _say_differences(pipelines: Mapping[str, str]) -> None:
    folders = {folder.name for folder in model_folders()}
    for model in sorted(folders - pipelines.keys()):
        if _is_retired(model):
            continue
        print(f"{model} is not deployed yet: cdk deploy makes what it needs, and delivers it", flush=True)
    for model in sorted(pipelines.keys() - folders):
        print(f"{model} is deployed, and this commit has no folder of it: it stays as it is", flush=True)


def _is_retired(model: str) -> bool:
    """Whether the model is retired; one whose description cannot be read is not: its own delivery says why."""
    try:
        return load_spec(name=model).retire
    except SpecError:
        return False


def _why(model: str, pipeline: str, buckets: Buckets, clients: Clients) -> str:
    """The reason for a training; empty when the last one had the same inputs and came to an end of its own."""
    last = inputs.read_training(clients.s3, buckets.artifacts, model)
    if last is None:
        return "never trained"
    settings = _settings(clients.codebuild, pipeline)
    compute = PipelineSettings.model_validate_json(settings).compute
    now = inputs.model_inputs(
        Path(),
        model,
        pins=job_pins(load_spec(name=model).estimator, is_cluster=compute.preprocess.instance_count > 1),
        settings_json=settings,
        data_version=version_of(list_objects(clients.s3, buckets.data, of_model(Prefix.RAW_DATA, model))),
    )
    if changed := inputs.differing(last.inputs, now):
        return f"changed {' and '.join(changed)}"
    return "" if _is_settled(last, clients) else "the last training did not end by itself"


def _settings(codebuild: "CodeBuildClient", pipeline: str) -> str:
    """The settings of the model's build, as the stack deployed them."""
    projects = codebuild.batch_get_projects(names=[build_project_name(pipeline)])["projects"]
    variables = projects[0]["environment"]["environmentVariables"]
    return next(each["value"] for each in variables if each["name"] == Variable.PIPELINE_SETTINGS)


def _is_settled(last: Training, clients: Clients) -> bool:
    """Whether it runs, has succeeded, or ended at the gate: the same inputs would end there again."""
    builds = clients.codebuild.batch_get_builds(ids=[last.build_id])["builds"] if last.build_id else []
    if any(build["buildStatus"] == "IN_PROGRESS" for build in builds):
        return True
    if not last.execution_arn:
        return False
    arn = last.execution_arn
    status = clients.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)[
        "PipelineExecutionStatus"
    ]
    return status == "Succeeded" or (
        status == "Failed" and Step.GATE_FAILED in _steps(clients.sagemaker, arn)
    )


def _steps(sagemaker: "SageMakerClient", execution_arn: str) -> Iterator[str]:
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution_arn
    )
    for page in pages:
        for step in page["PipelineExecutionSteps"]:
            yield step["StepName"]


def _start(codepipeline: "CodePipelineClient", pipeline: str, reason: str, commit: str) -> None:
    codepipeline.start_pipeline_execution(
        name=pipeline,
        variables=[{"name": DeliveryVariable.TRIGGER_REASON, "value": reason[:REASON_CHARACTERS]}],
        sourceRevisions=[{"actionName": Stage.SOURCE, "revisionType": "COMMIT_ID", "revisionValue": commit}],
    )


def main() -> None:
    clients = Clients(
        codebuild=boto3.client("codebuild"),
        codepipeline=boto3.client("codepipeline"),
        s3=boto3.client("s3"),
        sagemaker=boto3.client("sagemaker"),
    )
    buckets = Buckets(data=os.environ[Variable.DATA_BUCKET], artifacts=os.environ[Variable.ARTIFACT_BUCKET])
    pipelines = json.loads(os.environ[Variable.PIPELINES])
    commit = os.environ["CODEBUILD_RESOLVED_SOURCE_VERSION"]
    try:
        trigger = read_trigger(os.environ, clients.codepipeline)
        if trigger.reason == DEPLOYMENT:
            print("a deployment starts the delivery of each model that it makes: nothing to do", flush=True)
            return
        sys.exit(run(pipelines, buckets, commit, trigger.reason, clients))
    except AssertionsFailedError as error:
        sys.exit(f"push: the tests of the CDK app failed: this commit goes no further. {error}")
    except (RunError, SpecError, ClientError, BotoCoreError) as error:
        sys.exit(f"push: {error}")


if __name__ == "__main__":
    main()
