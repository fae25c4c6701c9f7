from collections.abc import Mapping
from typing import cast

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.names import FactoryNames


class AccessLogs(Construct):
    """A bucket that stays, in which S3 writes down who touches the other buckets."""

    def __init__(
        self, scope: Construct, id: str, *, names: FactoryNames, buckets: Mapping[str, s3.Bucket]
    ) -> None:
        """`buckets` by the folder for their logs."""
        super().__init__(scope, id)
        logs = s3.Bucket(
            self,
            "Bucket",
            bucket_name=names.access_log_bucket,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            # S3 delivers access logs to no bucket with a key of one's own.
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(365))],
        )
        partition = Stack.of(self).partition
        # The sources by name: S3 needs the permission before the first of them asks for logs.
        bucket_names = (names.data_bucket, names.artifact_bucket, names.delivery_bucket)
        sources = [f"arn:{partition}:s3:::{name}" for name in bucket_names]
        logs.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DeliverLogs",
                principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[logs.arn_for_objects("*")],
                conditions={
                    "ArnLike": {"aws:SourceArn": sources},
                    "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
                },
            )
        )
        for folder, bucket in buckets.items():
            # The L2 property would write a permission that refers to the source, and so comes after it.
            cast(
                s3.CfnBucket, bucket.node.default_child
            ).logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
                destination_bucket_name=logs.bucket_name, log_file_prefix=f"{folder}/"
            )
            bucket.node.add_dependency(cast(Construct, logs.policy))
