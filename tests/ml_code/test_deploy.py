"""A deployment against a SageMaker that remembers: what exists afterwards is what counts."""

import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from botocore.exceptions import ClientError

from ml_code.serving import registry
from ml_code.serving.deploy import lineage_tags, plan_deployment
from ml_code.serving.endpoint import (
    Deployment,
    DeploymentError,
    StillUpdatingError,
    Waiter,
    deploy,
    resource_name,
)
from ml_code.serving.environment import DeploySettings, read_settings
from ml_code.serving.registry import RegisteredVersion, RegistryError

ENVIRONMENT = {
    "FACTORY_NAME": "model-factory",
    "ENDPOINT_NAME": "model-factory-staging",
    "ENDPOINT_ROLE_ARN": "arn:aws:iam::123456789012:role/endpoint",
    "ARTIFACT_BUCKET": "artifacts",
    "MLFLOW_TRACKING_URI": "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app",
    "IMAGE_URI": "image",
    "SERVERLESS_MEMORY_MB": "2048",
    "SERVERLESS_MAX_CONCURRENCY": "5",
    "TAGS": '{"team": "ml"}',
}
ENDPOINT = ENVIRONMENT["ENDPOINT_NAME"]


class SageMaker:
    """The behaviour of SageMaker's endpoints that a deployment leans on.

    An endpoint stays in its transition for two looks. `failure` is what the next transition ends in:
    a failed creation leaves a Failed endpoint, a failed update the old configuration InService.
    """

    def __init__(self) -> None:
        self.models: dict[str, Any] = {}
        self.configs: dict[str, Any] = {}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.failure: str | None = None
        self.tags: dict[str, str] = {}  # of the endpoint

    def create_model(self, **request: Any) -> None:
        self.models[request["ModelName"]] = request

    def create_endpoint_config(self, **request: Any) -> None:
        self.configs[request["EndpointConfigName"]] = request

    def create_endpoint(self, **request: Any) -> None:
        name = request["EndpointName"]
        if name in self.endpoints:
            raise _error("CreateEndpoint", f"Cannot create already existing endpoint {name}")
        self._begin(name, "Creating", request["EndpointConfigName"])
        self.add_tags(f"arn:{name}", request["Tags"])

    def update_endpoint(self, **request: Any) -> None:
        name = request["EndpointName"]
        if self.endpoints[name]["EndpointStatus"] != "InService":
            raise _error("UpdateEndpoint", f"Cannot update endpoint {name} in this status")
        self._begin(name, "Updating", request["EndpointConfigName"])

    def _begin(self, name: str, status: str, config: str) -> None:
        before = self.endpoints.get(name, {}).get("EndpointConfigName")
        self.endpoints[name] = {
            "EndpointStatus": status,
            "EndpointArn": f"arn:{name}",
            "EndpointConfigName": before or config,
            "next": config,
            "looks": 2,
        }

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        endpoint: dict[str, Any] = self._find(self.endpoints, EndpointName, "endpoint")
        endpoint["looks"] = endpoint.get("looks", 0) - 1
        if endpoint["looks"] < 0 and endpoint["EndpointStatus"] in ("Creating", "Updating"):
            if self.failure is None:
                endpoint |= {"EndpointStatus": "InService", "EndpointConfigName": endpoint["next"]}
            else:
                is_new = endpoint["EndpointStatus"] == "Creating"
                endpoint |= {
                    "EndpointStatus": "Failed" if is_new else "InService",
                    "FailureReason": self.failure,
                }
        return endpoint

    def describe_endpoint_config(self, EndpointConfigName: str) -> Any:
        return self._find(self.configs, EndpointConfigName, "endpoint configuration")

    def delete_endpoint(self, EndpointName: str) -> None:
        self._find(self.endpoints, EndpointName, "endpoint")
        del self.endpoints[EndpointName]

    def delete_endpoint_config(self, EndpointConfigName: str) -> None:
        self._find(self.configs, EndpointConfigName, "endpoint configuration")
        del self.configs[EndpointConfigName]

    def delete_model(self, ModelName: str) -> None:
        self._find(self.models, ModelName, "model")
        del self.models[ModelName]

    def add_tags(self, ResourceArn: str, Tags: list[dict[str, str]]) -> None:
        self.tags = {tag["Key"]: tag["Value"] for tag in Tags}

    def _find(self, kind: dict[str, Any], name: str, word: str) -> Any:
        if name not in kind:
            raise _error("Describe", f'Could not find {word} "{name}".')
        return kind[name]

    @property
    def names(self) -> tuple[list[str], list[str], dict[str, str]]:
        """Models, configurations, and the configuration of each endpoint."""
        serving = {name: endpoint["EndpointConfigName"] for name, endpoint in self.endpoints.items()}
        return sorted(self.models), sorted(self.configs), serving


def _error(operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationException", "Message": message}}, operation)


def version(number: str) -> RegisteredVersion:
    return RegisteredVersion(
        name="digits",
        version=number,
        run_id=f"run{number}",
        commit=f"commit{number}",
        data_sha256=f"data{number}",
        execution_arn=f"arn:execution{number}",
        code_uri=f"s3://artifacts/code/c{number}/",
    )


def deployment(number: str) -> Deployment:
    settings = read_settings(DeploySettings, ENVIRONMENT)
    return plan_deployment(settings, version(number), f"s3://artifacts/{number}/model.tar.gz", "x")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def waiter(said: list[str]) -> Waiter:
    return Waiter(say=said.append, poll_seconds=0, max_wait_seconds=5)


V1, V2 = f"{ENDPOINT}-v1-x", f"{ENDPOINT}-v2-x"


def test_first_deployment_creates_the_endpoint(waiter: Waiter, said: list[str]) -> None:
    sagemaker = SageMaker()
    deploy(sagemaker, deployment("1"), waiter)
    assert sagemaker.names == ([V1], [V1], {ENDPOINT: V1})
    assert sagemaker.tags["model-factory"] == "model-factory"
    assert sagemaker.tags["model-version"] == "1"
    variant = sagemaker.configs[V1]["ProductionVariants"][0]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    assert said[0].endswith("Creating")
    assert said[-1].endswith("InService")


def test_update_removes_what_the_endpoint_used_before(waiter: Waiter) -> None:
    sagemaker = SageMaker()
    deploy(sagemaker, deployment("1"), waiter)
    deploy(sagemaker, deployment("2"), waiter)
    assert sagemaker.names == ([V2], [V2], {ENDPOINT: V2})
    assert sagemaker.tags["commit"] == "commit2"


def test_failed_update_leaves_the_old_version_and_nothing_of_the_new(waiter: Waiter) -> None:
    sagemaker = SageMaker()
    deploy(sagemaker, deployment("1"), waiter)
    sagemaker.failure = "the container did not answer /ping"
    with pytest.raises(DeploymentError, match="did not answer /ping"):
        deploy(sagemaker, deployment("2"), waiter)
    assert sagemaker.names == ([V1], [V1], {ENDPOINT: V1})
    assert sagemaker.tags["model-version"] == "1"


def test_failed_creation_leaves_nothing(waiter: Waiter) -> None:
    sagemaker = SageMaker()
    sagemaker.failure = "image not found"
    with pytest.raises(DeploymentError, match="image not found"):
        deploy(sagemaker, deployment("1"), waiter)
    assert sagemaker.names == ([], [], {})


def test_refused_call_leaves_nothing(waiter: Waiter, monkeypatch: pytest.MonkeyPatch) -> None:
    sagemaker = SageMaker()
    deploy(sagemaker, deployment("1"), waiter)

    def refuse(**request: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "UpdateEndpoint")

    monkeypatch.setattr(sagemaker, "update_endpoint", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        deploy(sagemaker, deployment("2"), waiter)
    assert sagemaker.names == ([V1], [V1], {ENDPOINT: V1})


def test_endpoint_that_failed_before_is_created_anew(waiter: Waiter) -> None:
    sagemaker = SageMaker()
    old = f"{ENDPOINT}-v0-x"
    sagemaker.create_model(ModelName=old)
    sagemaker.create_endpoint_config(EndpointConfigName=old, ProductionVariants=[{"ModelName": old}])
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=old, Tags=[])
    sagemaker.endpoints[ENDPOINT]["EndpointStatus"] = "Failed"
    deploy(sagemaker, deployment("1"), waiter)
    assert sagemaker.names == ([V1], [V1], {ENDPOINT: V1})


def test_deployment_waits_for_the_one_under_way(waiter: Waiter) -> None:
    sagemaker = SageMaker()
    deploy(sagemaker, deployment("1"), waiter)
    sagemaker.create_model(ModelName="other")
    sagemaker.create_endpoint_config(EndpointConfigName="other", ProductionVariants=[{"ModelName": "other"}])
    sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName="other")
    deploy(sagemaker, deployment("2"), waiter)
    assert sagemaker.names[2] == {ENDPOINT: V2}
    assert "other" not in sagemaker.models


def test_what_may_be_in_use_is_left_alone_when_time_is_up(said: list[str]) -> None:
    sagemaker = SageMaker()
    sagemaker_looks_forever(sagemaker)
    with pytest.raises(StillUpdatingError, match="still Creating"):
        deploy(sagemaker, deployment("1"), Waiter(say=said.append, poll_seconds=0, max_wait_seconds=0))
    assert sagemaker.names[:2] == ([V1], [V1])


def sagemaker_looks_forever(sagemaker: SageMaker) -> None:
    describe = sagemaker.describe_endpoint

    def still_creating(EndpointName: str) -> dict[str, Any]:
        return {**describe(EndpointName), "EndpointStatus": "Creating"}

    sagemaker.describe_endpoint = still_creating  # type: ignore[method-assign]


def test_endpoint_that_nothing_mends_is_named(waiter: Waiter) -> None:
    sagemaker = SageMaker()
    deploy(sagemaker, deployment("1"), waiter)
    sagemaker.endpoints[ENDPOINT]["EndpointStatus"] = "OutOfService"
    with pytest.raises(DeploymentError, match=r"OutOfService.*delete the endpoint"):
        deploy(sagemaker, deployment("2"), waiter)
    assert sagemaker.names[0] == [V1]


def test_lineage_is_in_the_tags() -> None:
    assert lineage_tags("model-factory", version("3")) == {
        "model-factory": "model-factory",
        "model-name": "digits",
        "model-version": "3",
        "run-id": "run3",
        "commit": "commit3",
        "data-sha256": "data3",
        "execution-arn": "arn:execution3",
        "code-uri": "s3://artifacts/code/c3/",
    }


def test_name_too_long_for_sagemaker_is_refused() -> None:
    with pytest.raises(ValueError, match="63"):
        resource_name("e" * 60, "1", "x")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"IMAGE_URI": ""}, "IMAGE_URI"),
        ({"SERVERLESS_MEMORY_MB": "much"}, "SERVERLESS_MEMORY_MB must be a whole number, got 'much'"),
    ],
)
def test_environment_is_checked_first(change: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_settings(DeploySettings, ENVIRONMENT | change)


# The registry, a real one


@pytest.fixture(scope="module")
def client(empty_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> mlflow.MlflowClient:
    folder = tmp_path_factory.mktemp("mlflow")
    shutil.copy(empty_registry, folder)
    (folder / "files").mkdir()
    (folder / "files" / "model.pkl").write_bytes(b"model")
    client = registry.connect(f"sqlite:///{folder / 'mlflow.db'}")
    client.create_registered_model("digits")
    run = client.create_run(client.create_experiment("digits", artifact_location=str(folder / "runs")))
    for source in (folder / "files", folder / "gone"):
        tags = {"commit": "abc", "data_sha256": "d", "execution_arn": "arn:e"}
        client.create_model_version("digits", source.as_uri(), run_id=run.info.run_id, tags=tags)
    client.set_registered_model_alias("digits", "staging", "1")
    return client


def test_alias_and_version_are_resolved(client: mlflow.MlflowClient) -> None:
    found = registry.resolve(client, "models:/digits@staging")
    assert found == registry.resolve(client, "models:/digits/1")
    assert (found.version, found.commit, found.execution_arn) == ("1", "abc", "arn:e")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("models:/digits@production", "aliases staging = 1"),
        ("models:/digits/9", r"versions \[1, 2\]"),
        ("models:/letters/1", "registered models: digits"),
        ("digits/1", "models:/NAME/VERSION"),
    ],
)
def test_unknown_version_says_what_there_is(client: mlflow.MlflowClient, uri: str, said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        registry.resolve(client, uri)


def test_files_of_a_version_are_found(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    folder = registry.download(client, registry.resolve(client, "models:/digits/1"), tmp_path)
    assert (folder / "model.pkl").read_bytes() == b"model"


def test_version_whose_files_are_gone_is_named(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    gone = registry.resolve(client, "models:/digits/2")
    with pytest.raises(RegistryError, match=r"digits version 2 .*deploy another version"):
        registry.download(client, gone, tmp_path)


def test_model_without_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"schema\.json"):
        registry.request_schema(tmp_path)
