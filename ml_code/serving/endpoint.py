"""Puts a model archive behind a SageMaker endpoint, all of it or nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

SageMakerClient: TypeAlias = Any  # boto3 makes its clients' classes at run time

VARIANT_NAME = "AllTraffic"  # constant: SageMaker shifts traffic only between variants of one name
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
    serverless_memory_mb: int
    serverless_max_concurrency: int
    tags: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Waiter:
    """Patience and voice: how long to poll, and whom to tell."""

    say: Callable[[str], None]
    poll_seconds: float = 1.0
    max_wait_seconds: float = 1800.0


def resource_name(endpoint_name: str, version: str, suffix: str) -> str:
    """The name of the model and of the endpoint configuration."""
    name = f"{endpoint_name}-v{version}-{suffix}"
    if len(name) > NAME_LENGTH_LIMIT:
        raise ValueError(
            f"{name!r} has {len(name)} characters, SageMaker allows {NAME_LENGTH_LIMIT}: "
            "shorten the factory's name"
        )
    return name


def deploy(sagemaker: SageMakerClient, deployment: Deployment, waiter: Waiter) -> None:
    """Create or update the endpoint; on failure remove what was made, on success what it replaces."""
    name = deployment.endpoint_name
    previous = _prepare_endpoint(sagemaker, name, waiter)
    made = (deployment.resource_name, [deployment.resource_name])
    try:
        _create_model_and_config(sagemaker, deployment)
        _start(sagemaker, deployment, is_new=previous is None)
    except ClientError:
        _delete_config_and_models(sagemaker, *made)
        raise
    try:
        endpoint_arn = _wait_for_new_config(sagemaker, deployment, waiter)
    except DeploymentError:  # settled: any other error may come while the endpoint still uses them
        if previous is None:
            _delete_endpoint(sagemaker, name, waiter)
        _delete_config_and_models(sagemaker, *made)
        raise
    if previous is not None:
        sagemaker.add_tags(ResourceArn=endpoint_arn, Tags=_tag_list(deployment.tags))
        _delete_config_and_models(sagemaker, *previous)
        waiter.say(f"removed {previous[0]}, which {name} used before")


def _prepare_endpoint(sagemaker: SageMakerClient, name: str, waiter: Waiter) -> tuple[str, list[str]] | None:
    """Configuration and models that the endpoint uses now; None when it has to be created."""
    endpoint = _wait_until_settled(sagemaker, name, waiter)
    if endpoint is None:
        return None
    config_name = endpoint["EndpointConfigName"]
    status = endpoint["EndpointStatus"]
    if status == "InService":
        return config_name, _model_names(sagemaker, config_name)
    if status == "Failed":  # cannot be updated, only replaced
        waiter.say(f"{name} is Failed ({endpoint.get('FailureReason', 'no reason given')}): creating it anew")
        models = _model_names(sagemaker, config_name)
        _delete_endpoint(sagemaker, name, waiter)
        _delete_config_and_models(sagemaker, config_name, models)
        return None
    raise DeploymentError(
        f"endpoint {name} is {status}, which an update does not mend "
        f"({endpoint.get('FailureReason', 'no reason given')}): delete the endpoint and deploy again"
    )


def _create_model_and_config(sagemaker: SageMakerClient, deployment: Deployment) -> None:
    tags = _tag_list(deployment.tags)
    sagemaker.create_model(
        ModelName=deployment.resource_name,
        ExecutionRoleArn=deployment.role_arn,
        PrimaryContainer={
            "Image": deployment.image_uri,
            "ModelDataUrl": deployment.model_data_url,
            "Environment": {
                "SAGEMAKER_PROGRAM": "inference.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
                # The image's server installs the module by pip at start unless it can import it.
                "PYTHONPATH": "/opt/ml/model/code",
                # One row is too little work to share: more threads only wait for each other.
                "OMP_NUM_THREADS": "1",
            },
        },
        Tags=tags,
    )
    sagemaker.create_endpoint_config(
        EndpointConfigName=deployment.resource_name,
        ProductionVariants=[
            {
                "VariantName": VARIANT_NAME,
                "ModelName": deployment.resource_name,
                "ServerlessConfig": {
                    "MemorySizeInMB": deployment.serverless_memory_mb,
                    "MaxConcurrency": deployment.serverless_max_concurrency,
                },
            }
        ],
        Tags=tags,
    )


def _start(sagemaker: SageMakerClient, deployment: Deployment, *, is_new: bool) -> None:
    name, config_name = deployment.endpoint_name, deployment.resource_name
    if is_new:
        tags = _tag_list(deployment.tags)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config_name, Tags=tags)
    else:
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config_name)


def _wait_for_new_config(sagemaker: SageMakerClient, deployment: Deployment, waiter: Waiter) -> str:
    """The ARN of the endpoint, which serves the new configuration."""
    name = deployment.endpoint_name
    endpoint = _wait_until_settled(sagemaker, name, waiter)
    if endpoint is None:
        raise DeploymentError(f"endpoint {name} was deleted during its deployment")
    # A failed update leaves the endpoint InService, with the configuration that it had before.
    is_served = endpoint["EndpointConfigName"] == deployment.resource_name
    if endpoint["EndpointStatus"] != "InService" or not is_served:
        reason = endpoint.get("FailureReason", "SageMaker gives no reason; read the endpoint's log group")
        raise DeploymentError(f"endpoint {name} does not serve {deployment.resource_name}: {reason}")
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
                "look at it in the SageMaker console and deploy again when it has settled"
            )
        time.sleep(waiter.poll_seconds)
    return None


def _describe(sagemaker: SageMakerClient, name: str) -> dict[str, Any] | None:
    try:
        return dict(sagemaker.describe_endpoint(EndpointName=name))
    except ClientError as error:
        if _is_missing(error):
            return None
        raise


def _model_names(sagemaker: SageMakerClient, config_name: str) -> list[str]:
    try:
        config = sagemaker.describe_endpoint_config(EndpointConfigName=config_name)
    except ClientError as error:
        if _is_missing(error):
            return []
        raise
    return [variant["ModelName"] for variant in config["ProductionVariants"] if "ModelName" in variant]


def _delete_endpoint(sagemaker: SageMakerClient, name: str, waiter: Waiter) -> None:
    if _ignore_missing(lambda: sagemaker.delete_endpoint(EndpointName=name)):
        _wait_until_gone(sagemaker, name, waiter)


def _wait_until_gone(sagemaker: SageMakerClient, name: str, waiter: Waiter) -> None:
    deadline = time.monotonic() + waiter.max_wait_seconds
    while _describe(sagemaker, name) is not None:
        if time.monotonic() > deadline:
            raise StillUpdatingError(f"endpoint {name} was not deleted in {waiter.max_wait_seconds:.0f} s")
        time.sleep(waiter.poll_seconds)


def _delete_config_and_models(sagemaker: SageMakerClient, config_name: str, models: list[str]) -> None:
    _ignore_missing(lambda: sagemaker.delete_endpoint_config(EndpointConfigName=config_name))
    for model in models:
        _ignore_missing(lambda model=model: sagemaker.delete_model(ModelName=model))  # type: ignore[misc]


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


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items() if value]
