"""A local AWS in this process with nothing but SageMaker of its own; tests talk to it through boto3."""

import io
import json
import os
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest

from localaws.core.account import Account
from localaws.core.clock import Clock
from localaws.core.identity import Credentials
from localaws.server import running
from localaws.services.iam.authorization import assume_role
from localaws.services.sagemaker.quotas import QUOTAS
from localaws.services.sagemaker.service import SageMaker

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
BUCKET = "data-for-jobs"
SKIP = "LOCALAWS_SKIP_IMAGE_TESTS"
LAYERS = "localaws.services.sagemaker.jobs.host.user_cache"


@dataclass
class Local:
    """The account under test, and what most tests need of it."""

    account: Account
    sagemaker: SageMaker
    role: str
    role_credentials: Credentials

    def client(self, service: str = "sagemaker", credentials: Credentials | None = None) -> Any:
        return self.account.client(service, credentials)

    def put(self, key: str, body: str | bytes) -> str:
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def get(self, key: str) -> bytes:
        body: bytes = self.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        listing = self.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for item in listing.get("Contents", [])]

    def archive(self, key: str, files: dict[str, str | bytes]) -> str:
        """A tar.gz of the files in S3."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, text in files.items():
                data = text.encode() if isinstance(text, str) else text
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        return self.put(key, buffer.getvalue())

    def create_model(self, name: str, archive: str, role: str = "") -> None:
        """One that inference.py of the archive serves."""
        self.client().create_model(
            ModelName=name,
            ExecutionRoleArn=role or self.role,
            PrimaryContainer={
                "Image": IMAGE,
                "ModelDataUrl": archive,
                "Environment": {
                    "SAGEMAKER_PROGRAM": "inference.py",
                    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                },
            },
        )

    def processing_request(self, script: str, **changes: Any) -> dict[str, Any]:
        """A job that runs a Python program, with /opt/ml/processing/output/out going to S3."""
        name = f"job-{uuid.uuid4().hex[:8]}"
        request: dict[str, Any] = {
            "ProcessingJobName": name,
            "RoleArn": self.role,
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "-c", script]},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
            },
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            "S3Uri": f"s3://{BUCKET}/{name}/out",
                            "LocalPath": "/opt/ml/processing/output/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        }
        return request | changes

    def training_request(self, source: str, **changes: Any) -> dict[str, Any]:
        """A script-mode job that runs train.py with this source."""
        name = f"train-{uuid.uuid4().hex[:8]}"
        archive = self.archive(f"{name}/source.tar.gz", {"train.py": source})
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": self.role,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "HyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": archive,
            },
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }
        return request | changes

    def process(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a processing job to its end; the description."""
        arn = self.client().create_processing_job(**request)["ProcessingJobArn"]
        self.sagemaker.wait_for_job(arn)
        described: dict[str, Any] = self.client().describe_processing_job(
            ProcessingJobName=request["ProcessingJobName"]
        )
        return described

    def train(self, request: dict[str, Any]) -> dict[str, Any]:
        arn = self.client().create_training_job(**request)["TrainingJobArn"]
        self.sagemaker.wait_for_job(arn)
        described: dict[str, Any] = self.client().describe_training_job(
            TrainingJobName=request["TrainingJobName"]
        )
        return described

    def log_lines(self, group: str, prefix: str) -> list[str]:
        logs = self.client("logs")
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"]
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]


@pytest.fixture(scope="session")
def image_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """With containers in the image's environment, made now unless it is there; layers of its own."""
    cache = tmp_path_factory.mktemp("cache")
    with (
        mock.patch(LAYERS, return_value=cache),
        _running(tmp_path_factory.mktemp("state"), uses_image=True) as local,
    ):
        environment = local.account.image
        assert environment is not None
        container = environment.wait()
        if container is None or not container.isolated:
            reason = f"needs containers as SageMaker's (or {SKIP}=1): {environment.description}"
            if os.environ.get(SKIP) == "1":
                pytest.skip(reason)
            pytest.fail(reason)
        yield local


@pytest.fixture(scope="session")
def small_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """With what stands for the image where it cannot be had, which starts sooner."""
    with _running(tmp_path_factory.mktemp("state"), uses_image=False) as local:
        yield local


@pytest.fixture(scope="session")
def local(image_local: Local) -> Local:
    return image_local


@pytest.fixture(params=["image_local", "small_local"])
def each_local(request: pytest.FixtureRequest) -> Local:
    """Both kinds of containers, one after the other."""
    local: Local = request.getfixturevalue(request.param)
    return local


@contextmanager
def _running(state_dir: Path, *, uses_image: bool) -> Iterator[Local]:
    user = f"sagemaker-administrator-{uses_image}"
    with running(state_dir, clock=Clock(minute_seconds=1.0), user=user, uses_image=uses_image) as account:
        statements = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
        role = create_role(account, f"jobs-{uses_image}", statements)
        credentials = assume_role(account, role, principal="sagemaker.amazonaws.com", session_name="test")
        account.client("s3").create_bucket(Bucket=BUCKET)
        sagemaker = cast(SageMaker, account.services["sagemaker"])
        for quota in QUOTAS:  # a new account may run next to nothing
            sagemaker.shared.quotas.set_applied(quota.name, 100)
        yield Local(account, sagemaker, role, credentials)


@pytest.fixture
def make_role(local: Local) -> Callable[[list[dict[str, Any]]], str]:
    """Make a role with these policy statements, and the rights to pull images and to log, for SageMaker; its ARN."""
    container = {"Effect": "Allow", "Action": ["ecr:*", "logs:*"], "Resource": "*"}
    return lambda statements: create_role(
        local.account, f"role-{uuid.uuid4().hex[:8]}", [container, *statements]
    )


def create_role(account: Account, name: str, statements: list[dict[str, Any]]) -> str:
    iam = account.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": statements}
    iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
    return arn


__all__ = ["IMAGE", "Local", "Path"]


@pytest.fixture
def new_account(local: Local) -> Iterator[Local]:
    """The account with AWS's default quotas."""
    quotas = local.sagemaker.shared.quotas
    before = {quota.name: quotas.applied(quota.name) for quota in QUOTAS}
    for quota in QUOTAS:
        quotas.set_applied(quota.name, quota.default)
    yield local
    for name, value in before.items():
        quotas.set_applied(name, value)
