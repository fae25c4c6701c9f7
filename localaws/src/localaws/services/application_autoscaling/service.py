"""Application Auto Scaling of endpoints' variants: recorded in moto, with AWS's checks; nothing ever scales here."""

import json
import re
from typing import TYPE_CHECKING, Any, cast

from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    FakeScalableTarget,
    applicationautoscaling_backends,
)
from moto.iam.models import iam_backends

from localaws.core.account import ACCOUNT_ID
from localaws.core.service import Json, ServiceError
from localaws.services.sagemaker.jobs.job import refuse_members, refuse_values

if TYPE_CHECKING:
    from localaws.core.account import Account
    from localaws.gateway.gateway import Gateway
    from localaws.services.sagemaker.service import SageMaker

NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
SERVICE_LINKED_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
PRINCIPAL = "sagemaker.application-autoscaling.amazonaws.com"
NOT_SUSPENDED: Any = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}
_KEYS = {"ServiceNamespace", "ResourceId", "ScalableDimension"}
_POLICY_MEMBERS = {*_KEYS, "PolicyName", "PolicyType", "TargetTrackingScalingPolicyConfiguration"}


def install(gateway: "Gateway") -> None:
    gateway.operations |= {
        ("application-autoscaling", "RegisterScalableTarget"): _register,
        ("application-autoscaling", "DeregisterScalableTarget"): _deregister,
        ("application-autoscaling", "PutScalingPolicy"): _put_policy,
    }


def scalable_variants(region: str, endpoint: str) -> list[str]:
    """The variants of an endpoint that are registered."""
    prefix = f"endpoint/{endpoint}/variant/"
    found = _backend(region).targets.get(DIMENSION, {})
    return [resource.removeprefix(prefix) for resource in found if resource.startswith(prefix)]


def deregister_endpoint(region: str, endpoint: str) -> None:
    """What DeleteEndpoint does with the targets on it."""
    for variant in scalable_variants(region, endpoint):
        _remove(_backend(region), f"endpoint/{endpoint}/variant/{variant}")


def service_linked_role_arn() -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:role/aws-service-role/{PRINCIPAL}/{SERVICE_LINKED_ROLE}"


def has_service_linked_role() -> bool:
    roles = iam_backends[ACCOUNT_ID]["aws"].roles.values()
    return any(role.arn == service_linked_role_arn() for role in roles)


def _register(account: "Account", request: Json) -> Json:
    refuse_members(request, {*_KEYS, "MinCapacity", "MaxCapacity"}, "RegisterScalableTarget")
    endpoint, variant = _variant_of(request)
    sagemaker = cast("SageMaker", account.services["sagemaker"])
    serving = sagemaker.endpoints.get(endpoint).variant
    if serving is None or serving.name != variant:
        raise _invalid(f"Variant {variant} of endpoint {endpoint} does not exist.")
    if serving.serverless:
        raise _invalid(
            f"The local AWS does not support {DIMENSION} of {endpoint}: a serverless variant has no instances."
        )
    backend = _backend(account.region)
    known = _target(backend, request["ResourceId"])
    low = request.get("MinCapacity", known.min_capacity if known else None)
    high = request.get("MaxCapacity", known.max_capacity if known else None)
    if low is None or high is None:
        raise _invalid("MinCapacity and MaxCapacity must be given when a scalable target is registered.")
    if low > high:
        raise _invalid(f"MinCapacity ({low}) must be at most MaxCapacity ({high}).")
    if not has_service_linked_role():
        _create_service_linked_role()
    target = backend.register_scalable_target(
        NAMESPACE,
        request["ResourceId"],
        DIMENSION,
        low,
        high,
        service_linked_role_arn(),
        known.suspended_state if known else NOT_SUSPENDED,
    )
    return {"ScalableTargetARN": target.arn}


def _deregister(account: "Account", request: Json) -> Json:
    _variant_of(request)
    backend = _backend(account.region)
    if _target(backend, request["ResourceId"]) is None:
        raise _not_registered(request)
    _remove(backend, request["ResourceId"])
    return {}


def _put_policy(account: "Account", request: Json) -> Json:
    refuse_members(request, _POLICY_MEMBERS, "PutScalingPolicy")
    refuse_values({"PolicyType": (request.get("PolicyType", "StepScaling"), ("TargetTrackingScaling",))})
    _variant_of(request)
    backend = _backend(account.region)
    if _target(backend, request["ResourceId"]) is None:
        raise _not_registered(request)
    policy = backend.put_scaling_policy(
        request["PolicyName"],
        NAMESPACE,
        request["ResourceId"],
        DIMENSION,
        request["TargetTrackingScalingPolicyConfiguration"],
        request["PolicyType"],
    )
    return {"PolicyARN": policy.policy_arn, "Alarms": []}


def _create_service_linked_role() -> None:
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


def _variant_of(request: Json) -> tuple[str, str]:
    """Endpoint and variant of the resource; refuses what is no variant of an endpoint."""
    found = re.fullmatch(r"endpoint/([^/]+)/variant/([^/]+)", request["ResourceId"])
    if (request["ServiceNamespace"], request["ScalableDimension"]) != (NAMESPACE, DIMENSION) or found is None:
        raise _invalid(
            f"The local AWS supports the dimension {DIMENSION} of endpoint/NAME/variant/NAME only; got "
            f"{request['ScalableDimension']} of {request['ResourceId']}."
        )
    return found.group(1), found.group(2)


def _remove(backend: ApplicationAutoscalingBackend, resource: str) -> None:
    """A target goes with its policies."""
    for key, policy in list(backend.policies.items()):
        if (policy.resource_id, policy.scalable_dimension) == (resource, DIMENSION):
            del backend.policies[key]
    backend.deregister_scalable_target(NAMESPACE, resource, DIMENSION)


def _target(backend: ApplicationAutoscalingBackend, resource: str) -> FakeScalableTarget | None:
    return backend.targets.get(DIMENSION, {}).get(resource)


def _backend(region: str) -> ApplicationAutoscalingBackend:
    return applicationautoscaling_backends[ACCOUNT_ID][region]


def _not_registered(request: Json) -> ServiceError:
    return ServiceError(
        "ObjectNotFoundException",
        f"No scalable target registered for service namespace: {request['ServiceNamespace']}, resource ID: "
        f"{request['ResourceId']}, scalable dimension: {request['ScalableDimension']}",
    )


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
