"""AWS as a release sees it, which only remembers, around a real registry and the real request code."""

import io
import json
import pickle
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from sklearn.linear_model import LogisticRegression

from ml_code.inference import handler
from ml_code.release import release
from ml_code.release.settings import ReleaseSettings
from ml_code.spec import ModelSpec
from ml_code.tracking import model_registry
from ml_code.verification import report_figure
from ml_code.verification.settings import read_settings
from tests.ml_code.release.fake_sagemaker import SageMaker

BUCKET = "artifacts"
PERSON = "arn:aws:iam::123456789012:user/ann"
QUALITY = "factory-production-quality"
APPROVER = "arn:aws:iam::123456789012:user/bob"


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

    def client(self, service: str) -> Any:
        return self.sagemaker if service == "sagemaker" else self

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self.objects[f"s3://{Bucket}/{Key}"] = Body

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
        return getattr(self, operation)

    class list_action_executions:
        @staticmethod
        def paginate(pipelineName: str, filter: dict[str, str]) -> list[Any]:
            assert (pipelineName, filter) == ("factory", {"pipelineExecutionId": "e1"})
            actions = [("Build", None), ("Approval", APPROVER)]
            return [
                {
                    "actionExecutionDetails": [
                        {
                            "input": {"actionTypeId": {"category": category}},
                            "status": "Succeeded",
                            "lastUpdateTime": 1,
                            **({"updatedBy": by} if by else {}),
                        }
                        for category, by in actions
                    ]
                }
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
        self.aws = Aws()
        self.environment = {
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
            "FACTORY_NAME": "factory",
            "STAGE": "production",
            "ENDPOINT_NAME": "factory-production",
            "ENDPOINT_ROLE_ARN": "arn:aws:iam::123456789012:role/endpoint",
            "ARTIFACT_BUCKET": BUCKET,
            "IMAGE_URI": "image",
            "ENDPOINT_SETTINGS": '{"mode": "serverless", "memory_mb": 2048, "max_concurrency": 5}',
            "TAGS": "{}",
            "DELIVERY_EXECUTION": "e1",
        }
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
        labels = np.repeat(np.arange(3), 20)
        pixels = np.zeros((len(labels), len(names)))
        pixels[np.arange(len(labels)), labels * 20] = 16.0
        frame = pd.DataFrame(pixels, columns=names)
        model = LogisticRegression().fit(frame, labels)
        if not good:
            model.intercept_[:] = [100, 0, 0]
        run = self.client.create_run(self.experiment).info.run_id
        test = self.folder / "test.csv"
        frame.assign(**{self.spec.target.name: labels}).to_csv(test, index=False)
        self.client.log_artifact(run, str(test))
        files = self.folder / f"model-{run}"
        files.mkdir()
        (files / "model.pkl").write_bytes(pickle.dumps(model))
        (files / "schema.json").write_text(json.dumps(self.spec.request_schema().to_dict()))
        tags = {"commit": f"commit-{run}", "data_sha256": "d", "execution_arn": "arn:e"}
        found = self.client.create_model_version(self.spec.name, files.as_uri(), run_id=run, tags=tags)
        return str(found.version)

    def release(self, version: str, **environment: str) -> None:
        settings = read_settings(ReleaseSettings, self.environment | environment)
        release.release(f"models:/{self.spec.name}/{version}", settings, self.spec)

    def served(self) -> str:
        """The version that answers; nothing may be left of any other."""
        models, configs, endpoints = self.aws.sagemaker.names
        assert models == configs == list(endpoints.values())
        tags = self.aws.sagemaker.tags
        assert f"-v{tags['model-version']}-" in models[0]
        return tags["model-version"]

    def in_production(self) -> str | None:
        return model_registry.in_production(self.client, self.spec.name)
