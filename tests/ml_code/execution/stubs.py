"""SageMaker, S3 and CloudWatch Logs with recorded answers, and pieces of such answers."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.stub import ANY, Stubber

from ml_code.execution.pipeline_execution import Snapshot
from ml_code.execution.run_pipeline import Clients
from ml_code.execution.run_settings import RunSettings
from ml_code.execution.stack_assertions import AssertionsFailedError
from ml_code.pipeline.settings import PipelineSettings

ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/model-factory"
EXECUTION_ARN = f"{ARN}/execution/abc"
JOB_ARN = "arn:aws:sagemaker:us-east-1:123456789012:"
ARCHIVE = b"archive"
CODE_URI = f"s3://artifacts/code/digits/0123456789abcdef/{hashlib.sha256(ARCHIVE).hexdigest()[:16]}/"
DEFINITION = '{"Version": "2020-12-01", "Steps": []}'
PIPELINE = PipelineSettings(
    pipeline_name="model-factory",
    model_name="digits",
    region="us-east-1",
    role_arn="arn:aws:iam::123456789012:role/job",
    artifact_bucket="artifacts",
    mlflow_tracking_uri="arn",
    image_uri="image",
)
SETTINGS = RunSettings(
    pipeline=PIPELINE,
    pipeline_json=PIPELINE.model_dump_json(),
    build_id="build:1",
    model="digits",
    data_bucket="data",
    data_prefix="raw/digits/",
    artifact_bucket="artifacts",
    commit="0123456789abcdef",
    trigger_reason="push",
    request_token="t" * 32,
)
ENVIRONMENT = {
    "PIPELINE_SETTINGS": PIPELINE.model_dump_json(),
    "MODEL_NAME": "digits",
    "DATA_BUCKET": "data",
    "ARTIFACT_BUCKET": "artifacts",
    "CODEBUILD_RESOLVED_SOURCE_VERSION": "0123456789abcdef",
}


class Passed:
    """Tests of the CDK app that passed before."""

    def check(self) -> None:
        pass

    def wait(self) -> None:
        pass

    def checked(self, snapshots: Iterator[Snapshot]) -> Iterator[Snapshot]:
        return snapshots


class Failing(Passed):
    """Tests of the CDK app that fail while the execution runs."""

    def checked(self, snapshots: Iterator[Snapshot]) -> Iterator[Snapshot]:
        yield next(snapshots)
        raise AssertionsFailedError("tests/stacks failed: exit status 1")


class FailedAtOnce(Passed):
    def check(self) -> None:
        raise AssertionsFailedError("tests/stacks failed: exit status 1")


class Stubs:
    def __init__(self) -> None:
        keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
        names: tuple[Any, ...] = ("s3", "sagemaker", "logs", "codebuild")
        made = {name: boto3.client(name, region_name="us-east-1", **keys) for name in names}
        self.clients = Clients(**made)
        self.s3, self.sagemaker, self.logs = (Stubber(made[name]) for name in names[:3])
        for stub in (self.s3, self.sagemaker, self.logs):
            stub.activate()

    def expect_start(self, deployed: str = DEFINITION) -> None:
        self.sagemaker.add_response("describe_pipeline", {"PipelineDefinition": deployed})
        if deployed != DEFINITION:
            update = {"PipelineName": "model-factory", "PipelineDefinition": DEFINITION}
            self.sagemaker.add_response("update_pipeline", {"PipelineArn": ARN}, update)
        values = {
            "CodeUri": CODE_URI,
            "DataUri": "s3://data/raw/digits/",
            "DataVersion": ANY,
            "CommitId": "0123456789abcdef",
            "TriggerReason": "push",
        }
        parameters = [{"Name": name, "Value": value} for name, value in values.items()]
        request: dict[str, Any] = {
            "PipelineName": "model-factory",
            "PipelineParameters": parameters,
            "ClientRequestToken": ANY,
        }
        self.sagemaker.add_response(
            "start_pipeline_execution", {"PipelineExecutionArn": EXECUTION_ARN}, request
        )

    def expect_end(self, status: str, *steps: dict[str, Any]) -> None:
        self.sagemaker.add_response("describe_pipeline_execution", {"PipelineExecutionStatus": status})
        self.sagemaker.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": list(steps)})

    def finish(self) -> None:
        for stub in (self.s3, self.sagemaker, self.logs):
            stub.assert_no_pending_responses()


def step(name: str, status: str, **more: Any) -> Any:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    times = {"StartTime": start, "EndTime": start + timedelta(seconds=4)}
    return {"StepName": name, "StepStatus": status, **times, **more}


def processing_job(**more: Any) -> dict[str, Any]:
    return {
        "ProcessingJobName": "job",
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
        },
        "AppSpecification": {"ImageUri": "image"},
        "ProcessingJobArn": f"{JOB_ARN}processing-job/job",
        "ProcessingJobStatus": "Completed",
        "CreationTime": datetime(2026, 11, 1, tzinfo=UTC),
        **more,
    }


def training_job(reason: str) -> dict[str, Any]:
    return {
        "TrainingJobName": "job",
        "TrainingJobArn": f"{JOB_ARN}training-job/job",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://artifacts/model.tar.gz"},
        "TrainingJobStatus": "Failed",
        "SecondaryStatus": "Failed",
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"VolumeSizeInGB": 30},
        "StoppingCondition": {},
        "CreationTime": datetime(2026, 11, 1, tzinfo=UTC),
        "FailureReason": reason,
    }


def tuning_job() -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": "abc-Tune",
        "HyperParameterTuningJobArn": f"{JOB_ARN}hyper-parameter-tuning-job/abc-tune",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "ResourceLimits": {"MaxParallelTrainingJobs": 2},
        },
        "HyperParameterTuningJobStatus": "Failed",
        "CreationTime": datetime(2026, 11, 1, tzinfo=UTC),
        "TrainingJobStatusCounters": {},
        "ObjectiveStatusCounters": {},
    }
