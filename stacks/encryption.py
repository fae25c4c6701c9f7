from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.names import FactoryNames
from stacks.permissions import arn


def customer_key(scope: Construct, id: str, *, names: FactoryNames, removal_policy: RemovalPolicy) -> kms.Key:
    """One key for all that the factory keeps.

    Its policy leaves roles to IAM, where each gets what it needs of the key, and lets in the one service that
    uses it without a role: CloudWatch Logs, for the factory's log groups only.
    """
    key = kms.Key(
        scope,
        id,
        alias=names.key_alias,
        description=f"Encrypts what the model factory {names.factory} keeps",
        enable_key_rotation=True,
        # A deleted key waits, disabled and unbilled, for the shortest time that AWS allows.
        pending_window=Duration.days(7),
        removal_policy=removal_policy,
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="EncryptLogs",
            principals=[iam.ServicePrincipal(f"logs.{names.region}.amazonaws.com")],
            actions=[
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey*",
                "kms:ReEncrypt*",
            ],
            resources=["*"],  # in a key's policy: this key
            conditions={
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": [
                        arn(scope, "logs", f"log-group:{pattern}") for pattern in names.log_groups
                    ]
                }
            },
        )
    )
    return key
