from collections.abc import Sequence
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ml_code.contracts import WRITE_ONCE_PREFIXES
from stacks.access_logs import AccessLogs
from stacks.acknowledgements import acknowledge
from stacks.context import removal_policy
from stacks.encryption import customer_key
from stacks.names import FactoryNames
from stacks.retention import artifact_rules, data_rules
from stacks.settings.factory import FactoryConfig


class Storage(Construct):
    """The key, if the factory has one of its own, and the buckets of data, of artifacts and of deliveries.

    The prefixes of the first two are those of the contracts. Deliveries have a bucket of their own, because
    CodePipeline puts everything under a prefix that nobody can choose: the name of its pipeline.
    """

    def __init__(self, scope: Construct, id: str, *, config: FactoryConfig, names: FactoryNames) -> None:
        super().__init__(scope, id)
        self._removal_policy = removal_policy(config)
        self.key = None
        if config.encryption == "customer":
            self.key = customer_key(self, "Key", names=names, removal_policy=self._removal_policy)
        abort = s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7))
        versions = s3.LifecycleRule(
            abort_incomplete_multipart_upload_after=Duration.days(7),
            noncurrent_version_expiration=Duration.days(90),
        )
        # A model names the hash of its data: a row overwritten by mistake must be recoverable.
        self.data_bucket = self._bucket(
            "Data", names.data_bucket, [versions, *data_rules(config.retention)], is_versioned=True
        )
        if config.triggers.new_data:
            _send_events(self.data_bucket)
        # What a release needs is recoverable, too.
        self.artifact_bucket = self._bucket(
            "Artifacts",
            names.artifact_bucket,
            [versions, *artifact_rules(config.retention)],
            is_versioned=True,
        )
        _write_once(self.artifact_bucket)
        # What the actions of one delivery hand on is of no use to another.
        expire = s3.LifecycleRule(expiration=Duration.days(30))
        self.delivery_bucket = self._bucket("Deliveries", names.delivery_bucket, [abort, expire])
        self.buckets = {
            "data": self.data_bucket,
            "artifacts": self.artifact_bucket,
            "deliveries": self.delivery_bucket,
        }
        if self._removal_policy == RemovalPolicy.RETAIN:
            AccessLogs(self, "AccessLogs", names=names, buckets=self.buckets)
        else:
            reason = "S3 logs access hours later: a bucket for that is never empty for a complete destroy"
            for bucket in self.buckets.values():
                acknowledge(bucket, "AwsSolutions-S1", reason=reason)

    def _bucket(
        self,
        id: str,
        name: str,
        lifecycle_rules: Sequence[s3.LifecycleRule],
        *,
        is_versioned: bool | None = None,
    ) -> s3.Bucket:
        return s3.Bucket(
            self,
            id,
            bucket_name=name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS if self.key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self.key,
            bucket_key_enabled=True if self.key else None,
            enforce_ssl=True,
            versioned=is_versioned,
            removal_policy=self._removal_policy,
            lifecycle_rules=lifecycle_rules,
        )


def _write_once(bucket: s3.Bucket) -> None:
    """Refuse what could overwrite an object, copies included; the parts of a multipart upload overwrite none.

    The statement is that of AWS's guide, "Enforce conditional writes on Amazon S3 buckets".
    """
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid="WriteOnce",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["s3:PutObject"],
            resources=[bucket.arn_for_objects(f"{prefix}*") for prefix in WRITE_ONCE_PREFIXES],
            conditions={
                "Null": {"s3:if-none-match": "true"},
                "Bool": {"s3:ObjectCreationOperation": "true"},
            },
        )
    )


def _send_events(bucket: s3.Bucket) -> None:
    """The L2 property brings a function of CDK's own that puts the configuration."""
    s3_events = s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    cast(
        s3.CfnBucket, bucket.node.default_child
    ).notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3_events
    )
