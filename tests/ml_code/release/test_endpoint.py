"""An endpoint's deployment against a SageMaker that remembers."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ml_code.release.deploy import lineage_tags, plan_deployment
from ml_code.release.endpoint import (
    DeployedConfig,
    Deployment,
    DeploymentError,
    StillUpdatingError,
    Waiter,
    delete_endpoint,
    find_deployed,
    put,
    put_back,
    remove,
    resource_name,
)
from ml_code.release.endpoint_settings import read_endpoint_settings
from ml_code.release.settings import ReleaseSettings
from ml_code.tracking.model_registry import RegisteredVersion
from ml_code.verification.settings import read_settings
from tests.ml_code.release.fake_sagemaker import SageMaker

ENVIRONMENT = {
    "FACTORY_NAME": "model-factory",
    "RESOURCE_PREFIX": "model-factory",
    "MODEL_NAME": "digits",
    "STAGE": "staging",
    "ENDPOINT_NAME": "model-factory-staging",
    "ENDPOINT_ROLE_ARN": "arn:aws:iam::123456789012:role/endpoint",
    "ARTIFACT_BUCKET": "artifacts",
    "MLFLOW_TRACKING_URI": "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app",
    "IMAGE_URI": "image",
    "ENDPOINT_SETTINGS": '{"mode": "serverless", "memory_mb": 2048, "max_concurrency": 5}',
    "TAGS": '{"team": "ml"}',
}
ENDPOINT = ENVIRONMENT["ENDPOINT_NAME"]


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
    settings = read_settings(ReleaseSettings, ENVIRONMENT)
    planned = plan_deployment(settings, version(number), f"s3://artifacts/{number}/model.tar.gz", "m")
    return replace(planned, resource_name=resource_name(ENDPOINT, number, "x"))


def deploy(sagemaker: SageMaker, deployment: Deployment, waiter: Waiter) -> None:
    """As a release does that nothing stops."""
    previous = find_deployed(sagemaker, ENDPOINT, waiter)
    put(sagemaker, deployment, previous, waiter)
    if previous:
        remove(sagemaker, previous)


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


def test_what_an_update_replaces_is_kept_and_can_be_put_back(waiter: Waiter) -> None:
    sagemaker = SageMaker()
    deploy(sagemaker, deployment("1"), waiter)
    previous = find_deployed(sagemaker, ENDPOINT, waiter)
    assert previous == DeployedConfig(config_name=V1, model_names=(V1,), is_serverless=True)
    put(sagemaker, deployment("2"), previous, waiter)
    assert sagemaker.names == ([V1, V2], [V1, V2], {ENDPOINT: V2})
    put_back(sagemaker, deployment("2"), previous, waiter)
    assert sagemaker.names == ([V1], [V1], {ENDPOINT: V1})


def test_putting_back_where_nothing_was_leaves_nothing(waiter: Waiter) -> None:
    sagemaker = SageMaker()
    put(sagemaker, deployment("1"), None, waiter)
    put_back(sagemaker, deployment("1"), None, waiter)
    assert sagemaker.names == ([], [], {})


def test_failed_update_leaves_the_old_version_and_nothing_of_the_new(waiter: Waiter) -> None:
    sagemaker = SageMaker()
    deploy(sagemaker, deployment("1"), waiter)
    sagemaker.failure = "the container did not answer /ping"
    with pytest.raises(DeploymentError, match="did not answer /ping"):
        deploy(sagemaker, deployment("2"), waiter)
    assert sagemaker.names == ([V1], [V1], {ENDPOINT: V1})


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
        ({"STAGE": "", "TAGS": ""}, "STAGE, TAGS"),
    ],
)
def test_environment_is_checked_first(change: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_settings(ReleaseSettings, ENVIRONMENT | change)


@pytest.mark.parametrize("text", ["much", "[]", '{"mode": "gpu"}', '{"mode": "serverless", "memory_mb": 1}'])
def test_settings_of_another_stack_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ENDPOINT_SETTINGS must be .*deploy the stack"):
        read_endpoint_settings(text)


class Slow(SageMaker):
    """Deletes an endpoint only after some looks."""

    looks_until_deleted = 2

    def delete_endpoint(self, EndpointName: str) -> None:
        self._find(self.endpoints, EndpointName, "endpoint")["EndpointStatus"] = "Deleting"

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        self.looks_until_deleted -= 1
        if self.looks_until_deleted < 0:
            self.endpoints.pop(EndpointName, None)
        return super().describe_endpoint(EndpointName)


def test_the_deletion_of_an_endpoint_is_waited_for() -> None:
    sagemaker = Slow()
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="c", Tags=[])
    delete_endpoint(sagemaker, ENDPOINT, Waiter(say=print, poll_seconds=0))
    assert sagemaker.endpoints == {}
    delete_endpoint(sagemaker, ENDPOINT, Waiter(say=print, poll_seconds=0))  # gone already


def test_a_deletion_that_does_not_end_is_named() -> None:
    sagemaker = Slow()
    sagemaker.looks_until_deleted = 10**9
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="c", Tags=[])
    waiter = Waiter(say=print, poll_seconds=0, max_wait_seconds=-1)
    with pytest.raises(StillUpdatingError, match=f"endpoint {ENDPOINT} still exists"):
        delete_endpoint(sagemaker, ENDPOINT, waiter)


@pytest.mark.parametrize(
    "operation", ["describe_endpoint", "describe_endpoint_config", "delete_endpoint_config"]
)
def test_what_may_not_be_looked_at_or_deleted_is_an_error(
    monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    sagemaker = SageMaker()
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="c", Tags=[])

    def refuse(**_: Any) -> None:
        raise ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, operation
        )

    monkeypatch.setattr(sagemaker, operation, refuse)
    config, waiter = DeployedConfig(config_name="c", model_names=()), Waiter(say=print, poll_seconds=0)

    def look_and_delete() -> None:
        find_deployed(sagemaker, ENDPOINT, waiter)
        remove(sagemaker, config)

    with pytest.raises(ClientError, match="not authorized"):
        look_and_delete()
