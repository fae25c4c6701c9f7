"""Permissions that Application Auto Scaling needs from its caller besides its own actions.

https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html
"""

from collections.abc import Iterator

from localaws.core.account import Account
from localaws.core.permission import Operation, Permission, ServicePermissions, arn
from localaws.services.sagemaker.endpoints.scalable_targets import (
    NAMESPACE,
    PRINCIPAL,
    has_service_linked_role,
    service_linked_role_arn,
    target_context,
)

ALARM_ACTIONS = {
    "PutScalingPolicy": ("DescribeAlarms", "PutMetricAlarm"),
    "DeleteScalingPolicy": ("DeleteAlarms",),
    "DeregisterScalableTarget": ("DeleteAlarms",),
}


def _further(account: Account, operation: Operation) -> Iterator[Permission]:
    if operation.parameters.get("ServiceNamespace") != NAMESPACE:
        return
    resource = str(operation.parameters.get("ResourceId", ""))
    if operation.name == "RegisterScalableTarget":
        endpoint = "/".join(resource.split("/")[:2])
        for action in ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities"):
            yield Permission(f"sagemaker:{action}", account.arn("sagemaker", endpoint))
        if not has_service_linked_role():
            context = {"iam:awsservicename": [PRINCIPAL]}
            yield Permission("iam:CreateServiceLinkedRole", service_linked_role_arn(), context)
    alarm = account.arn("cloudwatch", f"alarm:TargetTracking-{resource}-*")
    for action in ALARM_ACTIONS.get(operation.name, ()):
        yield Permission(f"cloudwatch:{action}", alarm)


def _context(_account: Account, operation: Operation) -> dict[str, list[str]]:
    return target_context(operation.parameters)


PERMISSIONS = ServicePermissions(
    resources={
        name: arn("application-autoscaling", "scalable-target/*")
        for name in (
            "RegisterScalableTarget",
            "DeregisterScalableTarget",
            "PutScalingPolicy",
            "DeleteScalingPolicy",
        )
    },
    context=_context,
    further=_further,
)
