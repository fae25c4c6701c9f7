from typing import cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group(
    scope: Construct, id: str, *, name: str, retention_days: int, key: kms.IKey | None
) -> logs.LogGroup:
    """A log group that the stack owns: the services would make it without an end of retention, and leave it on destroy."""
    group = logs.LogGroup(
        scope, id, log_group_name=name, encryption_key=key, removal_policy=RemovalPolicy.DESTROY
    )
    # The L2 property is an enumeration of words; the setting is the number that CloudFormation takes.
    cast(logs.CfnLogGroup, group.node.default_child).retention_in_days = retention_days
    return group
