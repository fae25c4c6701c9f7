"""Conditions on what a role may start at SageMaker, by the keys that each action has.

CreateProcessingJob and CreateHyperParameterTuningJob have all of them, CreateEndpointConfig no network, CreateModel the
network alone, CreateTransformJob no network (AWS's service authorization reference). None has an image: by the job's
role alone it is limited what can be pulled.
"""

from collections.abc import Sequence

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms

from stacks.network import Network
from stacks.settings.endpoints import ServerlessEndpoint

Conditions = dict[str, dict[str, str | list[str]]]


def limits(
    *,
    instance_types: Sequence[str] = (),
    network: Network | None = None,
    group: ec2.ISecurityGroup | None = None,
    volume_key: kms.IKey | None = None,
) -> Conditions:
    """Each argument is a condition, in all of which a request must be; without arguments there are none."""
    lists: dict[str, list[str]] = {}
    if instance_types:
        lists["sagemaker:InstanceTypes"] = sorted(set(instance_types))
    if network and group:
        lists["sagemaker:VpcSubnets"] = [subnet.subnet_id for subnet in network.subnets]
        lists["sagemaker:VpcSecurityGroupIds"] = [group.security_group_id]
    found: Conditions = {}
    if lists:
        # All values of a list that is absent are allowed, so it must be there.
        found = {"ForAllValues:StringEquals": {**lists}, "Null": dict.fromkeys(lists, "false")}
    if volume_key:
        found["ArnEquals"] = {"sagemaker:VolumeKmsKey": volume_key.key_arn}
    return found


def serverless_limits(endpoint: ServerlessEndpoint) -> Conditions:
    """The conditions on an endpoint configuration without instances."""
    return {
        # No type is called so: it allows a list that is absent or empty.
        "ForAllValues:StringEquals": {"sagemaker:InstanceTypes": ["none"]},
        "NumericLessThanEquals": {
            "sagemaker:ServerlessMemorySize": str(endpoint.memory_mb),
            "sagemaker:ServerlessMaxConcurrency": str(endpoint.max_concurrency),
        },
    }
