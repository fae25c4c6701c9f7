"""AWS as a release sees it, which only remembers, around a real registry and the real request code."""

import io
import json
import pickle
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from ml_code.estimators.model import TableModel
from ml_code.execution.source_archive import build_source_archive
from ml_code.inference import handler
from ml_code.package_wheel import build_wheel
from ml_code.release import archives, release
from ml_code.release.records import Records
from ml_code.release.settings import ReleaseSettings
from ml_code.spec import ModelSpec
from ml_code.tracking import model_registry
from ml_code.verification import report_figure
from ml_code.verification.settings import read_settings
from tests.ml_code.release.fake_sagemaker import SageMaker

BUCKET = "artifacts"
PERSON = "arn:aws:iam::123456789012:user/ann"
QUALITY = "factory-production-quality"
PIPELINE = "arn:aws:sagemaker:eu-central-1:123456789012:pipeline/factory"
APPROVER = "arn:aws:iam::123456789012:user/bob"


STARTED = datetime(2026, 1, 1, tzinfo=UTC)


def action(stage: str, name: str, **more: Any) -> dict[str, Any]:
    """Of CodePipeline's record."""
    return {
        "stageName": stage,
        "actionName": name,
        "status": "Succeeded",
        "startTime": STARTED,
        "lastUpdateTime": STARTED,
        **more,
    }


class Aws:
    """SageMaker, its runtime and the rest that a release calls; `client` stands in for boto3's."""

    def __init__(self) -> None:
        self.sagemaker = SageMaker()
        self.objects: dict[str, bytes] = {}
        self.metrics: list[float] = []
        self.requests = 0
        self.sagemaker.has_tripped = lambda: self.metrics[-1:] > [0.0]
        self.scaling: list[Any] = []  # what was asked of Application Auto Scaling
        self.loaded: dict[str, Any] = {}
        self.exceptions = SimpleNamespace(NoSuchKey=type("NoSuchKey", (ClientError,), {}))
        # Of the delivery: what was pushed, what its Build claims, what its Staging exported.
        self.commit, self.version = "", ""
        self.exported: dict[str, str] = {}

    def client(self, service: str) -> Any:
        return self.sagemaker if service == "sagemaker" else self

    def put_object(self, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str) -> None:
        assert IfNoneMatch == "*"
        if f"s3://{Bucket}/{Key}" in self.objects:
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": "held"}}, "PutObject")
        self.objects[f"s3://{Bucket}/{Key}"] = Body

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if f"s3://{Bucket}/{Key}" not in self.objects:
            raise self.exceptions.NoSuchKey({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[f"s3://{Bucket}/{Key}"])}

    def get_commit(self, repositoryName: str, commitId: str) -> dict[str, Any]:
        assert (repositoryName, commitId) == ("factory", self.commit)
        return {"commit": {"author": {"name": "Ann", "email": "ann@example.com"}}}

    def put_metric_data(self, Namespace: str, MetricData: list[Any]) -> None:
        (datum,) = MetricData
        assert (Namespace, datum["MetricName"]) == ("ModelFactory", "QualityShortfall")
        assert datum["Dimensions"] == [{"Name": "EndpointName", "Value": "factory-production"}]
        self.metrics.append(datum["Value"])

    def describe_alarms(self, AlarmNames: list[str]) -> dict[str, Any]:
        is_bad = self.metrics[-1:] and self.metrics[-1] > 0
        return {"MetricAlarms": [{"AlarmName": QUALITY, "StateValue": "ALARM" if is_bad else "OK"}]}

    def deregister_scalable_target(self, **request: Any) -> None:
        self.scaling.append("deregister")

    def register_scalable_target(self, **request: Any) -> None:
        self.scaling.append((request["MinCapacity"], request["MaxCapacity"]))

    def put_scaling_policy(self, **request: Any) -> None:
        assert request["ResourceId"] == "endpoint/factory-production/variant/AllTraffic"
        self.scaling.append(request["TargetTrackingScalingPolicyConfiguration"]["TargetValue"])

    def get_caller_identity(self) -> dict[str, str]:
        return {"Arn": PERSON}

    def get_paginator(self, operation: str) -> Any:
        self.operation = operation
        return self

    def paginate(self, **request: Any) -> list[Any]:
        """Of the operation that `get_paginator` was asked for."""
        if self.operation == "list_objects_v2":
            start = f"s3://{request['Bucket']}/"
            keys = [uri.removeprefix(start) for uri in self.objects]
            return [{"Contents": [{"Key": key} for key in keys if key.startswith(request["Prefix"])]}]
        assert request == {"pipelineName": "factory", "filter": {"pipelineExecutionId": "e1"}}
        return [{"actionExecutionDetails": self.actions()}]

    def actions(self) -> list[dict[str, Any]]:
        source = {"CommitId": self.commit, "CommitMessage": "Train more\n\nmuch", "RepositoryName": "factory"}
        built = {"MODEL_VERSION": self.version, "EXECUTION_ARN": self.sagemaker.execution_arn}
        return [
            action("Source", "Source", output={"outputVariables": source}),
            action("Build", "Build", output={"outputVariables": built}),
            action("Staging", "Deploy", output={"outputVariables": self.exported}),
            action("Approval", "Approve", updatedBy=APPROVER),
        ]

    def invoke_endpoint(
        self, EndpointName: str, ContentType: str, Body: bytes, InferenceId: str, Accept: str = "*/*"
    ) -> Any:
        if EndpointName not in self.sagemaker.endpoints:
            message = f"Endpoint {EndpointName} of account 123456789012 not found."
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "InvokeEndpoint")
        endpoint = self.sagemaker.endpoints[EndpointName]
        self.requests += 1
        is_canary = endpoint["EndpointStatus"] == "Updating" and self.requests % 4 == 0
        model = self._model(endpoint["next" if is_canary else "EndpointConfigName"])
        response = handler.transform_fn(model, Body, ContentType, Accept)
        if response.status_code == 200:
            return {"Body": io.BytesIO(response.get_data())}
        details: Any = {
            "Error": {"Code": "ModelError", "Message": response.get_data(as_text=True)},
            "OriginalStatusCode": response.status_code,
        }
        raise ClientError(details, "InvokeEndpoint")

    def _model(self, name: str) -> Any:
        if name not in self.loaded:
            archive = self.objects[self.sagemaker.models[name]["PrimaryContainer"]["ModelDataUrl"]]
            self.loaded[name] = load(archive)
        return self.loaded[name]


def load(archive: bytes) -> handler.ServedModel:
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
        return handler.model_fn(folder)


class World:
    """A factory with two versions of a model of two pixels."""

    def __init__(self, folder: Path, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.spec = spec
        self.aws: Any = Aws()
        self.environment = {
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
            "FACTORY_NAME": "factory",
            "RESOURCE_PREFIX": "factory",
            "MODEL_NAME": spec.name,
            "STAGE": "production",
            "ENDPOINT_NAME": "factory-production",
            "ENDPOINT_ROLE_ARN": "arn:aws:iam::123456789012:role/endpoint",
            "ARTIFACT_BUCKET": BUCKET,
            "IMAGE_URI": "image",
            "ENDPOINT_SETTINGS": '{"mode": "serverless", "memory_mb": 2048, "max_concurrency": 5}',
            "TAGS": "{}",
            "DELIVERY_EXECUTION": "e1",
        }
        self.tamper: Callable[[], None] = lambda: None  # with what is on record, before the release
        self.client = model_registry.connect(self.environment["MLFLOW_TRACKING_URI"])
        self.experiment = self.client.create_experiment("digits", artifact_location=str(folder / "runs"))
        self.client.create_registered_model(spec.name)
        monkeypatch.setattr(boto3, "client", self.aws.client)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        monkeypatch.setattr(report_figure, "draw", lambda path, **_: path.write_bytes(b"picture"))
        monkeypatch.chdir(folder)

    def register(self, *, good: bool = True) -> str:
        """A version that tells the place of one black pixel, or takes every image for the first class."""
        names = self.spec.request_schema().names
        labels = np.repeat(np.arange(10), 6)
        pixels = np.zeros((len(labels), len(names)))
        pixels[np.arange(len(labels)), labels * 6] = 16.0
        frame = pd.DataFrame(pixels, columns=names)
        estimator = LogisticRegression(C=100)
        pipeline = Pipeline([("estimator", estimator)])
        model = TableModel(self.spec.request_schema(), pipeline, self.spec.classes)
        model.fit(frame, pd.Series(labels))
        if not good:
            estimator.intercept_[:] = [1000, *[0] * 9]
        run = self.client.create_run(self.experiment).info.run_id
        test = self.folder / "test.csv"
        frame.assign(**{self.spec.target.name: labels}).to_csv(test, index=False)
        self.client.log_artifact(run, str(test))
        files = self.folder / f"model-{run}"
        files.mkdir()
        (files / "model.pkl").write_bytes(pickle.dumps(model))
        (files / "schema.json").write_text(json.dumps(self.spec.request_schema().to_dict()))
        code_uri = f"s3://{BUCKET}/code/{run}/"
        self.aws.objects[f"{code_uri}source.tar.gz"] = self.source_archive()
        tags = {"commit": run, "data_sha256": "d", "execution_arn": f"{PIPELINE}/execution/{run}"}
        found = self.client.create_model_version(
            self.spec.name, files.as_uri(), run_id=run, tags={**tags, "code_uri": code_uri}
        )
        return str(found.version)

    def source_archive(self, wheels: Mapping[str, bytes] | None = None, **gate: Any) -> bytes:
        document = self.spec.model_dump(mode="json", exclude_none=True)
        document["gate"].update(gate)
        files = {"models/example/model.yaml": json.dumps(document).encode()}
        return build_source_archive(files, "", wheels or dict([build_wheel()]))

    def deliver(self, version: str, **environment: str) -> None:
        """One stage of the delivery that registered the version; what comes before it is on record."""
        found = model_registry.resolve(self.client, f"models:/{self.spec.name}/{version}")
        self.aws.commit, self.aws.version = found.commit, version
        self.aws.sagemaker.training = {
            "PipelineExecutionArn": found.execution_arn,
            "PipelineExecutionStatus": "Succeeded",
            "CreationTime": STARTED,
            "Parameters": {"CommitId": found.commit, "CodeUri": found.code_uri},
            "Gate": [self.spec.gate.threshold, -self.spec.gate.tolerance],
            "Steps": [
                {"StepName": "Gate", "Metadata": {"Condition": {"Outcome": "True"}}},
                {"StepName": "Register", "StepStatus": "Succeeded"},
            ],
        }
        settings = read_settings(ReleaseSettings, self.environment | environment)
        if settings.stage == "production":
            content = archives.build(self.client, found)
            staged = archives.publish(self.aws, BUCKET, "staging", found, content)
            self.aws.exported = {
                "ARCHIVE_SHA256": staged.sha256,
                "TEST_ROWS_SHA256": staged.test_rows_sha256,
            }
        self.tamper()
        release.release_delivery(settings)

    def release_by_hand(self, version: str, **environment: str) -> None:
        settings = read_settings(ReleaseSettings, self.environment | environment)
        release.release_by_hand(f"models:/{self.spec.name}/{version}", settings)

    @property
    def records(self) -> Records:
        return Records(s3=self.aws, bucket=BUCKET, model=self.spec.name)

    def newest_record_key(self) -> str:
        prefix = f"s3://{BUCKET}/"
        uris = [str(uri) for uri in self.aws.objects if uri.startswith(f"{prefix}releases/")]
        return max(uris).removeprefix(prefix)

    def served(self) -> str:
        """The version that answers; nothing may be left of any other."""
        models, configs, endpoints = self.aws.sagemaker.names
        assert models == configs == list(endpoints.values())
        tags = self.aws.sagemaker.tags
        assert f"-v{tags['model-version']}-" in models[0]
        return str(tags["model-version"])

    def in_production(self) -> str | None:
        return model_registry.in_production(self.client, self.spec.name)
