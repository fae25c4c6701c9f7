from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from ml_code.contracts import BATCH, PRODUCTION, JobLogs, Prefix, of_model, serving_prefix
from stacks.context import ModelContext
from stacks.permissions import (
    JOB_STREAMS,
    allow,
    arn,
    grant_container,
    grant_job_logs,
    grant_list,
    grant_read,
    grant_volumes,
    grant_write,
    of_factory,
    service_role,
)
from stacks.storage import Storage

_SAGEMAKER = "sagemaker.amazonaws.com"
# What was in production, and what was never released; nothing of staging.
_ARCHIVES = (PRODUCTION, BATCH)
_JOBS = "One for each scored file, named after the factory"


class TransformJobs(Construct):
    """The role of transform jobs, and the settings for their start: model and job are made for one file."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: ModelContext,
        storage: Storage,
        image_uri: str,
    ) -> None:
        super().__init__(scope, id)
        self.prefix = context.names.batch_prefix
        self._context = context
        self._storage = storage
        self.role = service_role(self, "Role", _SAGEMAKER, "What transform jobs may do")
        grant_list(self.role, "ListDataAndModels", storage.data_bucket, storage.artifact_bucket)
        archives = [serving_prefix(owner, context.model_name) for owner in _ARCHIVES]
        grant_read(self.role, "ReadModels", storage.artifact_bucket, *archives)
        self._files = of_model(Prefix.BATCH, context.model_name)
        grant_read(self.role, "ReadInput", storage.data_bucket, self._files)
        grant_write(self.role, "WriteOutput", storage.data_bucket, self._files)
        grant_job_logs(self.role, self, JobLogs.TRANSFORM)
        grant_container(self.role, self, image_uri, JobLogs.TRANSFORM)
        if context.key:
            grant_volumes(self.role, context.key)
        if network := context.network:
            network.grant_interfaces(self.role, _SAGEMAKER, network.transforms)

    @property
    def settings_json(self) -> str:
        """Settings of a transform job, as `BatchSettings` of ml_code reads them."""
        settings: dict[str, object] = {
            "role_arn": self.role.role_arn,
            "bucket": self._storage.data_bucket.bucket_name,
            "prefix": self._files,
            "name_prefix": self.prefix,
        }
        if key := self._context.key:
            settings["kms_key_arn"] = key.key_arn
        if network := self._context.network:
            settings["vpc"] = {
                "Subnets": [subnet.subnet_id for subnet in network.subnets],
                "SecurityGroupIds": [network.transforms.security_group_id],
            }
        return Stack.of(self).to_json_string(settings)

    def grant_remove(self, grantee: iam.IGrantable) -> None:
        """Stop the jobs, delete the models and the lines in the log."""
        models, jobs = (
            arn(self, "sagemaker", f"{kind}/{self.prefix}*") for kind in ("model", "transform-job")
        )
        own = of_factory(self._context.names.factory)
        actions = ["sagemaker:DeleteModel", "sagemaker:StopTransformJob"]
        allow(grantee, "RemoveBatches", actions, [jobs, models], own, reason=_JOBS)
        actions = ["sagemaker:DescribeTransformJob", "sagemaker:ListTags"]
        allow(grantee, "SeeBatches", actions, [jobs, models], reason=_JOBS)
        reason = "IAM has no resource for lists of an account"
        allow(grantee, "FindBatches", ["sagemaker:ListTransformJobs"], ["*"], reason=reason)
        actions = ["logs:DeleteLogStream", "logs:DescribeLogStreams"]
        streams = [arn(self, "logs", f"log-group:{JobLogs.TRANSFORM}:*")]
        allow(grantee, "RemoveBatchLogs", actions, streams, reason=JOB_STREAMS)
