"""Scalable targets of endpoints' variants, which live in moto's Application Auto Scaling."""

import json

from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    FakeScalableTarget,
    applicationautoscaling_backends,
)
from moto.iam.models import iam_backends

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.identity import ACCOUNT_ID
from localaws.core.permission import Permission

NAMESPACE = "sagemaker"


DIMENSION = "sagemaker:variant:DesiredInstanceCount"


SERVICE_LINKED_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


PRINCIPAL = "sagemaker.application-autoscaling.amazonaws.com"


def scalable_variants(region: str, endpoint: str) -> list[str]:
    """The variants of an endpoint that are registered."""
    prefix = f"endpoint/{endpoint}/variant/"
    found = scaling_backend(region).targets.get(DIMENSION, {})
    return [resource.removeprefix(prefix) for resource in found if resource.startswith(prefix)]


def deregister_endpoint(region: str, endpoint: str) -> None:
    """Deregister the endpoint's scalable targets, as DeleteEndpoint does."""
    for variant in scalable_variants(region, endpoint):
        remove_target(scaling_backend(region), f"endpoint/{endpoint}/variant/{variant}")


def service_linked_role_arn() -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:role/aws-service-role/{PRINCIPAL}/{SERVICE_LINKED_ROLE}"


def has_service_linked_role() -> bool:
    roles = iam_backends[ACCOUNT_ID]["aws"].roles.values()
    return any(role.arn == service_linked_role_arn() for role in roles)


def create_service_linked_role() -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": PRINCIPAL}, "Action": "sts:AssumeRole"},
        ],
    }
    iam_backends[ACCOUNT_ID]["aws"].create_role(
        SERVICE_LINKED_ROLE,
        json.dumps(trust),
        f"/aws-service-role/{PRINCIPAL}/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration="3600",
        linked_service=PRINCIPAL,
    )


def remove_target(backend: ApplicationAutoscalingBackend, resource: str) -> None:
    """A target goes with its policies."""
    for key, policy in list(backend.policies.items()):
        if (policy.resource_id, policy.scalable_dimension) == (resource, DIMENSION):
            del backend.policies[key]
    backend.deregister_scalable_target(NAMESPACE, resource, DIMENSION)


def find_target(backend: ApplicationAutoscalingBackend, resource: str) -> FakeScalableTarget | None:
    return backend.targets.get(DIMENSION, {}).get(resource)


def scaling_backend(region: str) -> ApplicationAutoscalingBackend:
    return applicationautoscaling_backends[ACCOUNT_ID][region]


def target_context(parameters: Json) -> dict[str, list[str]]:
    """The condition keys of a request on a target."""
    keys = {"service-namespace": "ServiceNamespace", "scalable-dimension": "ScalableDimension"}
    return {
        f"application-autoscaling:{key}": [str(parameters[member])]
        for key, member in keys.items()
        if member in parameters
    }


def deregistration(account: Account) -> Permission:
    """The permissions to delete an endpoint with scalable targets."""
    return Permission(
        "application-autoscaling:DeregisterScalableTarget",
        account.arn("application-autoscaling", "scalable-target/*"),
        target_context({"ServiceNamespace": NAMESPACE, "ScalableDimension": DIMENSION}),
    )
