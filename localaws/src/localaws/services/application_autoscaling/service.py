"""Application Auto Scaling of endpoints' variants: recorded in moto, with AWS's checks; nothing ever scales here."""

import re
from typing import Any, cast

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.validation import refuse_members, refuse_values
from localaws.services.sagemaker.endpoints.scalable_targets import (
    DIMENSION,
    NAMESPACE,
    create_service_linked_role,
    find_target,
    has_service_linked_role,
    remove_target,
    scaling_backend,
    service_linked_role_arn,
)
from localaws.services.sagemaker.service import SageMaker

NOT_SUSPENDED: Any = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}
_KEYS = {"ServiceNamespace", "ResourceId", "ScalableDimension"}
_POLICY_MEMBERS = {*_KEYS, "PolicyName", "PolicyType", "TargetTrackingScalingPolicyConfiguration"}


def _register(account: Account, request: Json) -> Json:
    refuse_members(request, {*_KEYS, "MinCapacity", "MaxCapacity"}, "RegisterScalableTarget")
    endpoint, variant = _variant_of(request)
    sagemaker = cast(SageMaker, account.services["sagemaker"])
    serving = sagemaker.endpoints.get(endpoint).variant
    if serving is None or serving.name != variant:
        raise _invalid(f"Variant {variant} of endpoint {endpoint} does not exist.")
    if serving.serverless:
        raise _invalid(
            f"The local AWS does not support {DIMENSION} of {endpoint}: a serverless variant has no instances."
        )
    backend = scaling_backend(account.region)
    known = find_target(backend, request["ResourceId"])
    low = request.get("MinCapacity", known.min_capacity if known else None)
    high = request.get("MaxCapacity", known.max_capacity if known else None)
    if low is None or high is None:
        raise _invalid("MinCapacity and MaxCapacity must be given when a scalable target is registered.")
    if low > high:
        raise _invalid(f"MinCapacity ({low}) must be at most MaxCapacity ({high}).")
    if not has_service_linked_role():
        create_service_linked_role()
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


def _deregister(account: Account, request: Json) -> Json:
    _variant_of(request)
    backend = scaling_backend(account.region)
    if find_target(backend, request["ResourceId"]) is None:
        raise _not_registered(request)
    remove_target(backend, request["ResourceId"])
    return {}


def _put_policy(account: Account, request: Json) -> Json:
    refuse_members(request, _POLICY_MEMBERS, "PutScalingPolicy")
    refuse_values({"PolicyType": (request.get("PolicyType", "StepScaling"), ("TargetTrackingScaling",))})
    _variant_of(request)
    backend = scaling_backend(account.region)
    if find_target(backend, request["ResourceId"]) is None:
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


def _variant_of(request: Json) -> tuple[str, str]:
    """Endpoint and variant of the resource; refuses what is no variant of an endpoint."""
    found = re.fullmatch(r"endpoint/([^/]+)/variant/([^/]+)", request["ResourceId"])
    if (request["ServiceNamespace"], request["ScalableDimension"]) != (NAMESPACE, DIMENSION) or found is None:
        raise _invalid(
            f"The local AWS supports the dimension {DIMENSION} of endpoint/NAME/variant/NAME only; got "
            f"{request['ScalableDimension']} of {request['ResourceId']}."
        )
    return found.group(1), found.group(2)


def _not_registered(request: Json) -> ServiceError:
    return ServiceError(
        "ObjectNotFoundException",
        f"No scalable target registered for service namespace: {request['ServiceNamespace']}, resource ID: "
        f"{request['ResourceId']}, scalable dimension: {request['ScalableDimension']}",
    )


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


OPERATIONS = {
    "RegisterScalableTarget": _register,
    "DeregisterScalableTarget": _deregister,
    "PutScalingPolicy": _put_policy,
}
