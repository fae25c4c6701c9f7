"""The scalable target of an endpoint, which must not exist during an update."""

from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from ml_code.contracts import VARIANT_NAME
from ml_code.release.endpoint_settings import Realtime

AutoScalingClient: TypeAlias = Any  # boto3 makes its clients' classes at run time


def target(endpoint_name: str) -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint_name}/variant/{VARIANT_NAME}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }


def stop_scaling(autoscaling: AutoScalingClient, endpoint_name: str) -> None:
    """Deregister the scalable target; its policies and their alarms go with it."""
    try:
        autoscaling.deregister_scalable_target(**target(endpoint_name))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ObjectNotFoundException":
            raise


def start_scaling(autoscaling: AutoScalingClient, endpoint_name: str, endpoint_settings: Realtime) -> None:
    autoscaling.register_scalable_target(
        **target(endpoint_name),
        MinCapacity=endpoint_settings.instance_count,
        MaxCapacity=endpoint_settings.max_instance_count,
    )
    autoscaling.put_scaling_policy(
        **target(endpoint_name),
        PolicyName=f"{endpoint_name}-invocations",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": float(endpoint_settings.invocations_per_instance),
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
            "ScaleInCooldown": endpoint_settings.scale_in_cooldown_seconds,
            "ScaleOutCooldown": endpoint_settings.scale_out_cooldown_seconds,
        },
    )
