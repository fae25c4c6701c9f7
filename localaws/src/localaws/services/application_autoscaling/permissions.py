"""What Application Auto Scaling asks of its caller besides its own actions, and SageMaker when an endpoint goes.

https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html,
https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-delete-with-scaling.html
"""

from collections.abc import Iterator

from localaws.core.account import ACCOUNT_ID
from localaws.core.service import Json
from localaws.services.application_autoscaling import service as autoscaling

Needed = tuple[str, str, dict[str, list[str]]]  # action, resource, condition keys
ALARM_ACTIONS = {
    "PutScalingPolicy": ("DescribeAlarms", "PutMetricAlarm"),
    "DeleteScalingPolicy": ("DeleteAlarms",),
    "DeregisterScalableTarget": ("DeleteAlarms",),
}


def target_context(parameters: Json) -> dict[str, list[str]]:
    keys = {"service-namespace": "ServiceNamespace", "scalable-dimension": "ScalableDimension"}
    return {
        f"application-autoscaling:{key}": [str(parameters[member])]
        for key, member in keys.items()
        if member in parameters
    }


def autoscaling_permissions(region: str, service: str, operation: str, parameters: Json) -> Iterator[Needed]:
    if (service, operation) == ("sagemaker", "DeleteEndpoint"):
        if autoscaling.scalable_variants(region, parameters["EndpointName"]):
            context = target_context(
                {"ServiceNamespace": autoscaling.NAMESPACE, "ScalableDimension": autoscaling.DIMENSION}
            )
            target = _arn("application-autoscaling", region, "scalable-target/*")
            yield "application-autoscaling:DeregisterScalableTarget", target, context
    elif service == "application-autoscaling" and parameters.get("ServiceNamespace") == autoscaling.NAMESPACE:
        resource = str(parameters.get("ResourceId", ""))
        if operation == "RegisterScalableTarget":
            endpoint = "/".join(resource.split("/")[:2])
            for action in ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities"):
                yield f"sagemaker:{action}", _arn("sagemaker", region, endpoint), {}
            if not autoscaling.has_service_linked_role():
                context = {"iam:awsservicename": [autoscaling.PRINCIPAL]}
                yield "iam:CreateServiceLinkedRole", autoscaling.service_linked_role_arn(), context
        alarm = _arn("cloudwatch", region, f"alarm:TargetTracking-{resource}-*")
        for action in ALARM_ACTIONS.get(operation, ()):
            yield f"cloudwatch:{action}", alarm, {}


def _arn(service: str, region: str, resource: str) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT_ID}:{resource}"
