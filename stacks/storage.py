from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.access_logs import AccessLogs
from stacks.acknowledgements import acknowledge
from stacks.config import FactoryConfig
from stacks.encryption import customer_key
from stacks.names import FactoryNames


class Storage(Construct):
    """The key, if the factory has one of its own, the data bucket and the artifact bucket.

    CodePipeline adds a prefix of its own name to the latter."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: FactoryConfig,
        names: FactoryNames,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, id)
        self.key = None
        if config.encryption == "customer":
            self.key = customer_key(self, "Key", names=names, removal_policy=removal_policy)
        encryption = s3.BucketEncryption.KMS if self.key else s3.BucketEncryption.S3_MANAGED
        self.data_bucket = s3.Bucket(
            self,
            "Data",
            bucket_name=names.data_bucket,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=encryption,
            encryption_key=self.key,
            bucket_key_enabled=True if self.key else None,
            enforce_ssl=True,
            # A model names the hash of its data: a row overwritten by mistake must be recoverable.
            versioned=True,
            removal_policy=removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                    noncurrent_version_expiration=Duration.days(90),
                )
            ],
        )
        if config.trigger_on_new_data:
            # The L2 property brings a function of CDK's own that puts the configuration.
            s3_events = s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
            cast(
                s3.CfnBucket, self.data_bucket.node.default_child
            ).notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
                event_bridge_configuration=s3_events
            )
        self.artifact_bucket = s3.Bucket(
            self,
            "Artifacts",
            bucket_name=names.artifact_bucket,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=encryption,
            encryption_key=self.key,
            bucket_key_enabled=True if self.key else None,
            enforce_ssl=True,
            removal_policy=removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7)),
                s3.LifecycleRule(prefix=f"{names.factory}/", expiration=Duration.days(30)),
            ],
        )
        buckets = {"data": self.data_bucket, "artifacts": self.artifact_bucket}
        if removal_policy == RemovalPolicy.RETAIN:
            AccessLogs(self, "AccessLogs", names=names, buckets=buckets)
        else:
            because = "S3 logs access hours later: a bucket for that is never empty for a complete destroy"
            for bucket in buckets.values():
                acknowledge(bucket, "AwsSolutions-S1", because=because)
