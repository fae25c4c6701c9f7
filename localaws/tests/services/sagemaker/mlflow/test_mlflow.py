"""MLflow apps are real MLflow servers; pipelines and apps are CloudFormation resources."""

import json
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.core.errors import ServiceError
from localaws.services.sagemaker.mlflow.app import EmptyDatabase
from localaws.services.sagemaker.mlflow.tracking_server import iam_action
from localaws.services.sagemaker.resources import RESOURCES

TYPES = {resource.type: resource for resource in RESOURCES}


def test_an_app_serves_mlflow(local: Any) -> None:
    resource = TYPES["AWS::SageMaker::MlflowApp"]
    properties = {"Name": "tracking", "ArtifactStoreUri": "s3://data-for-jobs/mlflow", "RoleArn": local.role}
    arn = resource.create(local.account, "Stack-App", properties)
    assert arn.startswith("arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-")
    url = local.sagemaker.mlflow_url(arn)
    attributes = resource.attributes(local.account, arn)
    assert attributes["Status"] == "Created"
    assert attributes["MlflowVersion"].count(".") == 2
    request = urllib.request.Request(  # noqa: S310
        f"{url}/api/2.0/mlflow/experiments/create",
        data=json.dumps({"name": "digits"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        identifier = json.load(answer)["experiment_id"]
    with urllib.request.urlopen(  # noqa: S310
        f"{url}/api/2.0/mlflow/experiments/get?experiment_id={identifier}"
    ) as answer:
        experiment = json.load(answer)["experiment"]
    assert experiment["artifact_location"].startswith("s3://data-for-jobs/mlflow/")
    resource.delete(local.account, arn, properties)
    with pytest.raises(ClientError, match=f"MLflow app {arn} does not exist"):
        local.client().describe_mlflow_app(Arn=arn)
    resource.delete(local.account, arn, properties)  # gone already: no error


def test_a_pipeline_is_a_resource(local: Any) -> None:
    resource = TYPES["AWS::SageMaker::Pipeline"]
    definition = {
        "Version": "2020-12-01",
        "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "end"}}],
    }
    properties: dict[str, Any] = {
        "PipelineName": "from-a-stack",
        "PipelineDefinition": {"PipelineDefinitionBody": json.dumps(definition)},
        "RoleArn": local.role,
        "Tags": [{"Key": "project", "Value": "x"}],
    }
    name = resource.create(local.account, "Stack-Pipeline", properties)
    assert name == "from-a-stack"
    arn = local.client().describe_pipeline(PipelineName=name)["PipelineArn"]
    assert local.client().list_tags(ResourceArn=arn)["Tags"] == properties["Tags"]
    changed = properties | {"PipelineDescription": "changed"}
    assert resource.update(local.account, name, changed, properties) == name
    assert local.client().describe_pipeline(PipelineName=name)["PipelineDescription"] == "changed"
    resource.delete(local.account, name, changed)
    resource.delete(local.account, name, changed)


def test_a_tracking_server_serves_mlflow(local: Any) -> None:
    resource = TYPES["AWS::SageMaker::MlflowTrackingServer"]
    properties = {
        "TrackingServerName": "tracking",
        "TrackingServerSize": "Small",
        "ArtifactStoreUri": "s3://data-for-jobs/mlflow",
        "RoleArn": local.role,
        "AutomaticModelRegistration": False,
    }
    assert resource.create(local.account, "Stack-Server", properties) == "tracking"
    arn = resource.attributes(local.account, "tracking")["TrackingServerArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/tracking"
    home = local.client().create_presigned_mlflow_tracking_server_url(TrackingServerName="tracking")
    assert home["AuthorizedUrl"] == local.sagemaker.mlflow_url(arn)
    described = local.client().describe_mlflow_tracking_server(TrackingServerName="tracking")
    assert (described["TrackingServerStatus"], described["TrackingServerSize"]) == ("Created", "Small")
    resource.delete(local.account, "tracking", properties)
    assert local.client().list_mlflow_tracking_servers()["TrackingServerSummaries"] == []
    resource.delete(local.account, "tracking", properties)


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", "/api/2.0/mlflow/runs/search", "SearchRuns"),
        ("POST", "/api/2.0/mlflow/logged-models/search", "SearchLoggedModels"),
        ("PATCH", "/api/2.0/mlflow/logged-models/m-1", "FinalizeLoggedModel"),
        ("GET", "/api/2.0/mlflow/registered-models/alias", "GetModelVersionByAlias"),
        ("DELETE", "/api/2.0/mlflow/registered-models/alias", "DeleteRegisteredModelAlias"),
    ],
)
def test_a_call_of_mlflows_api_needs_the_action_of_its_name(method: str, path: str, action: str) -> None:
    assert iam_action(method, path) == f"sagemaker-mlflow:{action}"


def test_an_unknown_call_is_refused() -> None:
    with pytest.raises(ServiceError, match=r"knows no permission for GET /api/2\.0/mlflow/nothing"):
        iam_action("GET", "/api/2.0/mlflow/nothing")


class Migrations:
    """Stands for the processes of a local AWS."""

    def __init__(self) -> None:
        self.count = 0

    def start(self, command: list[str], *, directory: Path, **_: Any) -> Any:
        self.count += 1
        (directory / "mlflow.db").write_text("tables")
        return SimpleNamespace(wait=lambda: 0)


@pytest.mark.parametrize("can_be_written_to", [True, False])
def test_the_empty_database_is_made_once_for_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_be_written_to: bool
) -> None:
    cache = tmp_path / "cache"
    if not can_be_written_to:
        cache.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    migrations = Migrations()
    for name in ("first", "second"):
        account: Any = SimpleNamespace(state_dir=tmp_path / name, processes=migrations)
        EmptyDatabase(account).copy(tmp_path / f"{name}.db")
        assert (tmp_path / f"{name}.db").read_text() == "tables"
    assert migrations.count == (1 if can_be_written_to else 2)
    assert not list(tmp_path.glob("**/.making-*"))
