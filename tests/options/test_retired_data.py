"""Data of a model that is taken out: kept, or deleted where its settings say so, and nothing of another model."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from tests.options.functions import load_function
from tests.options.test_teardown import answers, event, index  # noqa: F401 (fixtures)
from tests.stacks.synthesis import (
    ACCOUNT,
    REGION,
    Synthesised,
    cdk_app,
    configured,
    read_assembly,
    without_account,
)

DATA, ARTIFACTS = f"model-factory-data-{ACCOUNT}-{REGION}", f"model-factory-artifacts-{ACCOUNT}-{REGION}"
APP = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:mlflow-app/app-1"
Answers = tuple[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    before = dict(os.environ)
    without_account(os.environ)
    outdir = str(tmp_path_factory.mktemp("models"))
    own = {"churn": {"retired_data": "delete"}}
    app, stack = cdk_app({}, outdir, models=("churn", "digits"), own=own)
    app.synth()
    os.environ.clear()
    os.environ.update(before)
    return read_assembly(outdir, stack)


def properties(factory: Synthesised, model: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = (
        dict(resource["Properties"])
        for key, resource in factory.every("AWS::CloudFormation::CustomResource").items()
        if key.startswith(f"Model{model}")
    )
    return found


def test_the_teardown_of_one_model_may_delete_its_data_and_that_of_no_other(factory: Synthesised) -> None:
    objects = {
        resource.partition(":::")[2]
        for key, statement in factory.statements()
        if key.startswith("Model") and "s3:DeleteObjectVersion" in statement["Action"]
        for resource in (
            [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        )
    }
    named = properties(factory, "churn")["ObjectPrefixes"]
    own = {f"{uri.removeprefix('s3://')}*" for uri in named}
    assert len(own) == 11
    assert objects == own | {f"{ARTIFACTS}/mlflow/*"}
    assert all("churn" in prefix for prefix in own)
    assert "ObjectPrefixes" not in properties(factory, "digits")


def test_the_factory_s_teardown_knows_what_becomes_of_each_model_s_data(factory: Synthesised) -> None:
    (found,) = (
        resource["Properties"]["RetiredData"]
        for resource in factory.every("AWS::CloudFormation::CustomResource").values()
        if "RetiredData" in resource["Properties"]
    )
    assert found == {"churn": "delete", "digits": "keep"}


def test_mlflow_on_fargate_keeps_the_data() -> None:
    settings = {"network.type": "own", "mlflow.type": "fargate", "retired_data": "delete"}
    with pytest.raises(
        ValueError, match=r"retired_data is 'delete', allowed is keep while mlflow.type is fargate"
    ):
        configured(settings)


@pytest.mark.parametrize(
    ("before", "now", "sentence"),
    [
        ({"churn": "keep"}, {"churn": "delete"}, "deployed with retired_data keep, .* taken out with delete"),
        ({}, {"churn": "delete"}, "deployed with retired_data keep, .* deploy retired_data: delete first"),
        ({"churn": "delete"}, {"churn": "keep"}, "deployed with retired_data delete, .* taken out with keep"),
    ],
)
def test_a_removal_that_goes_by_other_settings_than_those_of_now_is_refused(
    before: dict[str, str], now: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        refuse({"churn": "x-churn-production"}, before, {}, now)


def test_new_names_of_a_model_do_not_delete_its_data() -> None:
    with pytest.raises(ValueError, match=r"names of model churn change, .* deploy retired_data: keep first"):
        refuse(
            {"churn": "x-churn-production"},
            {"churn": "delete"},
            {"churn": "x-production"},
            {"churn": "delete"},
        )


def refuse(
    endpoints_before: dict[str, str], before: dict[str, str], endpoints: dict[str, str], now: dict[str, str]
) -> None:
    load_function("teardown").refuse_removal(
        {
            "ResourceProperties": {
                "ProductionEndpoints": endpoints,
                "RetiredData": now,
                "RetiredModels": ["churn"],
            },
            "OldResourceProperties": {"ProductionEndpoints": endpoints_before, "RetiredData": before},
        }
    )


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str, Any]]]:
    """MLflow's REST API with an experiment `churn` and none of its monitoring: the calls that changed something."""
    calls: list[tuple[str, str, Any]] = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["x-sm-mlflow-app-arn"] == APP
            assert "/sagemaker-mlflow/aws4_request" in self.headers["Authorization"]
            if not self.path.endswith("get-by-name?experiment_name=churn"):
                return self._answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"})
            location = f"s3://{ARTIFACTS}/mlflow/7"
            experiment = {"experiment_id": "7", "artifact_location": location, "lifecycle_stage": "active"}
            return self._answer(200, {"experiment": experiment})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            calls.append((self.command, self.path.removeprefix("/api/2.0/mlflow/"), body))
            self._answer(200, {})

        do_DELETE = do_POST  # noqa: N815

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield calls
        server.shutdown()


def deploy(status: str, factory: Synthesised) -> dict[str, Any]:
    """The stack in this status, with objects of two models; what ModelTeardown gets."""

    def respond(**_: Any) -> Any:
        return AWSResponse("", 200, HTTPHeaders(), None), {"Stacks": [{"StackStatus": status}]}

    assert boto3.DEFAULT_SESSION is not None
    boto3.DEFAULT_SESSION.events.register("before-call.cloudformation.DescribeStacks", respond)
    s3 = boto3.client("s3")
    for bucket in (DATA, ARTIFACTS):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for model in ("churn", "digits"):
        endpoint = f"model-factory-{model}-production"
        for key in (f"raw/{model}/a.csv", f"raw/{model}/a.csv", f"batch/{model}/j/x.csv"):
            s3.put_object(Bucket=DATA, Key=key, Body=b"1")
        for folder in (
            f"runs/{model}",
            f"serving/production/{model}",
            f"releases/{model}",
            f"captured/{endpoint}",
        ):
            s3.put_object(Bucket=ARTIFACTS, Key=f"{folder}/x", Body=b"1")
    for key in ("mlflow/7/r/artifacts/x", "mlflow/77/r/artifacts/x", "wheels/w"):
        s3.put_object(Bucket=ARTIFACTS, Key=key, Body=b"1")
    return {
        "FactoryName": "model-factory",
        "BucketNames": [],
        "EndpointNames": [],
        "BatchPrefixes": [],
        "PackageGroups": "",
        "ObjectPrefixes": properties(factory, "churn")["ObjectPrefixes"],
        "MlflowTrackingUri": APP,
        "MlflowModel": "churn",
    }


def keys() -> set[str]:
    """Of all objects, old versions too."""
    s3 = boto3.client("s3")
    return {
        each["Key"]
        for bucket in (DATA, ARTIFACTS)
        for each in s3.list_object_versions(Bucket=bucket).get("Versions", ())
    }


def test_data_of_a_removed_model_are_deleted_in_all_versions(
    index: ModuleType,  # noqa: F811
    answers: Answers,  # noqa: F811
    mlflow: list[tuple[str, str, Any]],
    factory: Synthesised,
) -> None:
    names = deploy("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", factory)
    url, received = answers
    index.handler(event("Delete", url, **names), None)
    assert [answer["Status"] for answer in received] == ["SUCCESS"], received
    left = keys()
    assert {
        "raw/digits/a.csv",
        "runs/digits/x",
        "releases/digits/x",
        "mlflow/77/r/artifacts/x",
        "wheels/w",
    } < left
    assert not [key for key in left if "churn" in key or key.startswith("mlflow/7/")]
    assert mlflow == [
        ("POST", "experiments/delete", {"experiment_id": "7"}),
        ("DELETE", "registered-models/delete", {"name": "churn"}),
    ]


@pytest.mark.parametrize("status", ["DELETE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_data_stay_when_the_stack_is_destroyed_or_rolled_back(
    index: ModuleType,  # noqa: F811
    answers: Answers,  # noqa: F811
    mlflow: list[tuple[str, str, Any]],
    factory: Synthesised,
    status: str,
) -> None:
    names = deploy(status, factory)
    before = keys()
    url, received = answers
    index.handler(event("Delete", url, **names), None)
    assert [answer["Status"] for answer in received] == ["SUCCESS"], received
    assert keys() == before
    assert mlflow == []
