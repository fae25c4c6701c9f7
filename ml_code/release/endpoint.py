"""Puts a model archive behind a SageMaker endpoint, and takes it away again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from ml_code.contracts import tag_list
from ml_code.inference.container import container
from ml_code.release.endpoint_settings import EndpointSettings
from ml_code.retries import once

SageMakerClient: TypeAlias = Any  # boto3 makes its clients' classes at run time

SETTLED = ("InService", "Failed", "OutOfService", "UpdateRollbackFailed")
NAME_LENGTH_LIMIT = 63


class DeploymentError(Exception):
    """The endpoint does not serve the new version; what was made for it is gone again."""


class StillUpdatingError(Exception):
    """The endpoint did not settle in time; what it may be using was left alone."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One model version on its way to one endpoint."""

    endpoint_name: str
    resource_name: str
    role_arn: str
    image_uri: str
    model_data_url: str
    model_manifest_sha256: str
    endpoint_settings: EndpointSettings
    tags: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class DeployedConfig:
    """The configuration of an endpoint, and its models."""

    config_name: str
    model_names: tuple[str, ...]
    is_serverless: bool = False
    instance_count: int | None = None


@dataclass(frozen=True, kw_only=True)
class Waiter:
    """Polling of an endpoint: its interval and limit, where it reports, what it calls with each status."""

    say: Callable[[str], None]
    poll_seconds: float = 1.0
    max_wait_seconds: float = 1800.0
    meanwhile: Callable[[str], None] = field(default=lambda _status: None)


def resource_name(endpoint_name: str, version: str, suffix: str) -> str:
    """The name of the model and of the endpoint configuration."""
    name = f"{endpoint_name}-v{version}-{suffix}"
    if len(name) > NAME_LENGTH_LIMIT:
        raise ValueError(
            f"{name!r} has {len(name)} characters, SageMaker allows {NAME_LENGTH_LIMIT}: "
            "shorten the factory's name"
        )
    return name


def find_deployed(sagemaker: SageMakerClient, name: str, waiter: Waiter) -> DeployedConfig | None:
    """The endpoint's configuration, once it has settled; None when it has to be created.

    A Failed endpoint cannot be updated, so it is removed.
    """
    endpoint = _wait_until_settled(sagemaker, name, waiter)
    if endpoint is None:
        return None
    served = _deployed_config(sagemaker, endpoint)
    status = endpoint["EndpointStatus"]
    if status == "InService":
        return served
    reason = endpoint.get("FailureReason", "no reason given")
    if status == "Failed":
        waiter.say(f"{name} is Failed ({reason}): creating it anew")
        delete_endpoint(sagemaker, name, waiter)
        remove(sagemaker, served)
        return None
    raise DeploymentError(
        f"endpoint {name} is {status}, which an update does not mend ({reason}): "
        "delete the endpoint and release again"
    )


def put(
    sagemaker: SageMakerClient, deployment: Deployment, previous: DeployedConfig | None, waiter: Waiter
) -> str:
    """Create or update the endpoint, keeping what it used before; on failure remove what was made.

    Returns the ARN of the endpoint.
    """
    name = deployment.endpoint_name
    made = DeployedConfig(config_name=deployment.resource_name, model_names=(deployment.resource_name,))
    try:
        _create_model_and_config(sagemaker, deployment, previous)
        _start(sagemaker, deployment, is_new=previous is None)
    except ClientError:
        remove(sagemaker, made)
        raise
    try:
        return _wait_for_config(sagemaker, name, made.config_name, waiter)
    except DeploymentError:  # settled: any other error may come while the endpoint still uses them
        if previous is None:
            delete_endpoint(sagemaker, name, waiter)
        remove(sagemaker, made)
        raise


def put_back(
    sagemaker: SageMakerClient, deployment: Deployment, previous: DeployedConfig | None, waiter: Waiter
) -> None:
    """Undo `put`: at once, without a look at alarms."""
    name = deployment.endpoint_name
    if previous is None:
        delete_endpoint(sagemaker, name, waiter)
    else:
        policy = deployment.endpoint_settings.update(is_guarded=False)
        once(sagemaker.update_endpoint, EndpointName=name, EndpointConfigName=previous.config_name, **policy)
        _wait_for_config(sagemaker, name, previous.config_name, waiter)
    remove(
        sagemaker,
        DeployedConfig(config_name=deployment.resource_name, model_names=(deployment.resource_name,)),
    )


def remove(sagemaker: SageMakerClient, served: DeployedConfig) -> None:
    """Delete a configuration and its models, as far as they are there."""
    _ignore_missing(lambda: sagemaker.delete_endpoint_config(EndpointConfigName=served.config_name))
    for model in served.model_names:
        _ignore_missing(lambda model=model: sagemaker.delete_model(ModelName=model))  # type: ignore[misc]


def delete_endpoint(sagemaker: SageMakerClient, name: str, waiter: Waiter) -> None:
    if not _ignore_missing(lambda: sagemaker.delete_endpoint(EndpointName=name)):
        return
    deadline = time.monotonic() + waiter.max_wait_seconds
    while _describe(sagemaker, name) is not None:
        if time.monotonic() > deadline:
            raise StillUpdatingError(
                f"endpoint {name} still exists {waiter.max_wait_seconds:.0f} s after its deletion was requested"
            )
        time.sleep(waiter.poll_seconds)


def _create_model_and_config(
    sagemaker: SageMakerClient, deployment: Deployment, previous: DeployedConfig | None
) -> None:
    tags = tag_list(deployment.tags)
    once(
        sagemaker.create_model,
        ModelName=deployment.resource_name,
        ExecutionRoleArn=deployment.role_arn,
        PrimaryContainer=container(
            deployment.image_uri, deployment.model_data_url, deployment.model_manifest_sha256
        ),
        Tags=tags,
        **deployment.endpoint_settings.network(),
    )
    running = previous.instance_count if previous else None
    once(
        sagemaker.create_endpoint_config,
        EndpointConfigName=deployment.resource_name,
        Tags=tags,
        **deployment.endpoint_settings.config(deployment.resource_name, running),
    )


def _start(sagemaker: SageMakerClient, deployment: Deployment, *, is_new: bool) -> None:
    name, config_name = deployment.endpoint_name, deployment.resource_name
    if is_new:
        tags = tag_list(deployment.tags)
        once(sagemaker.create_endpoint, EndpointName=name, EndpointConfigName=config_name, Tags=tags)
    else:
        policy = deployment.endpoint_settings.update(is_guarded=True)
        once(sagemaker.update_endpoint, EndpointName=name, EndpointConfigName=config_name, **policy)


def _wait_for_config(sagemaker: SageMakerClient, name: str, config_name: str, waiter: Waiter) -> str:
    """The ARN of the endpoint, which serves the configuration."""
    endpoint = _wait_until_settled(sagemaker, name, waiter)
    if endpoint is None:
        raise DeploymentError(f"endpoint {name} was deleted during its deployment")
    # A failed update leaves the endpoint InService, with the configuration that it had before.
    if endpoint["EndpointStatus"] != "InService" or endpoint["EndpointConfigName"] != config_name:
        reason = endpoint.get("FailureReason", "SageMaker gives no reason; read the endpoint's log group")
        raise DeploymentError(f"endpoint {name} does not serve {config_name}: {reason}")
    return str(endpoint["EndpointArn"])


def _wait_until_settled(sagemaker: SageMakerClient, name: str, waiter: Waiter) -> dict[str, Any] | None:
    deadline = time.monotonic() + waiter.max_wait_seconds
    last_status = None
    while (endpoint := _describe(sagemaker, name)) is not None:
        status = endpoint["EndpointStatus"]
        if status != last_status:
            waiter.say(f"endpoint {name}: {status}")
            last_status = status
        if status in SETTLED:
            return endpoint
        if time.monotonic() > deadline:
            raise StillUpdatingError(
                f"endpoint {name} is still {status} after {waiter.max_wait_seconds:.0f} s; "
                "look at it in the SageMaker console and release again when it has settled"
            )
        waiter.meanwhile(status)
        time.sleep(waiter.poll_seconds)
    return None


def _describe(sagemaker: SageMakerClient, name: str) -> dict[str, Any] | None:
    try:
        return dict(sagemaker.describe_endpoint(EndpointName=name))
    except ClientError as error:
        if _is_missing(error):
            return None
        raise


def _deployed_config(sagemaker: SageMakerClient, endpoint: dict[str, Any]) -> DeployedConfig:
    config_name = endpoint["EndpointConfigName"]
    variants: list[dict[str, Any]] = []
    try:
        config = sagemaker.describe_endpoint_config(EndpointConfigName=config_name)
        variants = config["ProductionVariants"]
    except ClientError as error:
        if not _is_missing(error):
            raise
    counts = [variant.get("CurrentInstanceCount") for variant in endpoint.get("ProductionVariants", [])]
    return DeployedConfig(
        config_name=config_name,
        model_names=tuple(variant["ModelName"] for variant in variants if "ModelName" in variant),
        is_serverless=any("ServerlessConfig" in variant for variant in variants),
        instance_count=counts[0] if counts else None,
    )


def _ignore_missing(delete: Callable[[], Any]) -> bool:
    """Whether there was something to delete."""
    try:
        delete()
    except ClientError as error:
        if _is_missing(error):
            return False
        raise
    return True


def _is_missing(error: ClientError) -> bool:
    # SageMaker has no error code of its own for this.
    details = error.response["Error"]
    return details["Code"] == "ValidationException" and "Could not find" in details["Message"]
