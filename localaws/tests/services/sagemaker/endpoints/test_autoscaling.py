"""Scalable targets of endpoints: what AWS checks, who may, what an update and a deletion do with them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.services.iam.authorization import assume_role
from tests.services.sagemaker.endpoints.serving import configuration, deploy, settle

Wait = Callable[[Callable[[], bool]], None]
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
POLICY = {
    "TargetValue": 100.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    "ScaleInCooldown": 300,
}


@pytest.fixture
def endpoint(local: Any, wait_until: Wait) -> Iterator[str]:
    name = deploy(local, wait_until, configuration(local, "one", serverless=False))
    yield name
    if any(
        item["EndpointName"] == name for item in local.client().list_endpoints(NameContains=name)["Endpoints"]
    ):
        local.client().delete_endpoint(EndpointName=name)


def test_a_target_lives_and_goes_with_its_endpoint(local: Any, wait_until: Wait, endpoint: str) -> None:
    scaling = local.client("application-autoscaling")
    target = key(endpoint)
    with pytest.raises(ClientError, match="No scalable target registered for service namespace: sagemaker"):
        put_policy(scaling, target)
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=3)
    scaling.register_scalable_target(**target, MaxCapacity=4)
    put_policy(scaling, target)
    (found,) = targets(scaling, target)
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 4)
    assert found["RoleARN"].endswith("/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint")
    (policy,) = policies(scaling, target)
    assert policy["TargetTrackingScalingPolicyConfiguration"] == POLICY
    # Another model may come; another instance type only when the target is deregistered.
    sagemaker = local.client()
    sagemaker.update_endpoint(
        EndpointName=endpoint, EndpointConfigName=configuration(local, "two", serverless=False)
    )
    settle(local, wait_until, endpoint)
    larger = configuration(local, "three", serverless=False)
    model = sagemaker.describe_endpoint_config(EndpointConfigName=larger)["ProductionVariants"][0]
    sagemaker.create_endpoint_config(
        EndpointConfigName=f"{larger}-xlarge", ProductionVariants=[model | {"InstanceType": "ml.m5.xlarge"}]
    )
    with pytest.raises(ClientError, match="must be deregistered as a scalable target with AutoScaling"):
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{larger}-xlarge")
    assert targets(scaling, target) == [found]
    sagemaker.delete_endpoint(EndpointName=endpoint)
    assert targets(scaling, target) == []
    assert policies(scaling, target) == []


def test_deregistering_removes_the_policies(local: Any, endpoint: str) -> None:
    scaling = local.client("application-autoscaling")
    target = key(endpoint)
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    put_policy(scaling, target)
    scaling.deregister_scalable_target(**target)
    assert policies(scaling, target) == []
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.deregister_scalable_target(**target)


def test_what_is_refused(local: Any, endpoint: str) -> None:
    scaling = local.client("application-autoscaling")
    capacity = {"MinCapacity": 1, "MaxCapacity": 2}
    with pytest.raises(ClientError, match="Could not find endpoint"):
        scaling.register_scalable_target(**key("nope"), **capacity)
    with pytest.raises(ClientError, match="Variant Other of endpoint"):
        scaling.register_scalable_target(**key(endpoint, "Other"), **capacity)
    with pytest.raises(ClientError, match="must be given when a scalable target is registered"):
        scaling.register_scalable_target(**key(endpoint), MaxCapacity=2)
    with pytest.raises(ClientError, match=r"MinCapacity \(3\) must be at most MaxCapacity \(2\)"):
        scaling.register_scalable_target(**key(endpoint), MinCapacity=3, MaxCapacity=2)
    with pytest.raises(ClientError, match="supports the dimension sagemaker:variant:DesiredInstanceCount"):
        scaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId="service/a/b",
            ScalableDimension="ecs:service:DesiredCount",
            **capacity,
        )


def test_the_callers_rights_decide(local: Any, endpoint: str, make_role: Any) -> None:
    own = {"Effect": "Allow", "Action": "application-autoscaling:*", "Resource": "*"}
    of_endpoint = {
        "Effect": "Allow",
        "Action": ["sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"],
        "Resource": f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{endpoint}",
    }
    linked_role = {
        "Effect": "Allow",
        "Action": "iam:CreateServiceLinkedRole",
        "Resource": "*",
        "Condition": {
            "StringEquals": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}
        },
    }
    alarms = {
        "Effect": "Allow",
        "Action": ["cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms"],
        "Resource": f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:TargetTracking-endpoint/{endpoint}/*",
    }
    delete = {"Effect": "Allow", "Action": "sagemaker:DeleteEndpoint", "Resource": "*"}

    def client(service: str, *statements: dict[str, Any]) -> Any:
        credentials = assume_role(
            local.account,
            make_role(list(statements)),
            principal="sagemaker.amazonaws.com",
            session_name="test",
        )
        return local.client(service, credentials)

    target = key(endpoint)
    service = "application-autoscaling"
    capacity = {"MinCapacity": 1, "MaxCapacity": 2}
    with pytest.raises(ClientError, match="perform: sagemaker:DescribeEndpoint on resource"):
        client(service, own, linked_role).register_scalable_target(**target, **capacity)
    client(service, own, of_endpoint, linked_role).register_scalable_target(**target, **capacity)
    with pytest.raises(ClientError, match="perform: cloudwatch:DescribeAlarms on resource"):
        put_policy(client(service, own), target)
    put_policy(client(service, own, alarms), target)
    with pytest.raises(ClientError, match="perform: application-autoscaling:DeregisterScalableTarget"):
        client("sagemaker", delete).delete_endpoint(EndpointName=endpoint)
    client("sagemaker", delete, own).delete_endpoint(EndpointName=endpoint)


def key(endpoint: str, variant: str = "AllTraffic") -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": DIMENSION,
    }


def put_policy(scaling: Any, target: dict[str, str]) -> None:
    scaling.put_scaling_policy(
        **target,
        PolicyName="invocations",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=POLICY,
    )


def targets(scaling: Any, target: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]]
    )["ScalableTargets"]
    return found


def policies(scaling: Any, target: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scaling.describe_scaling_policies(
        ServiceNamespace="sagemaker", ResourceId=target["ResourceId"]
    )["ScalingPolicies"]
    return found
