from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from ml_code.contracts import METRIC_NAMESPACE, PRODUCTION, JobLogs, Prefix, of_model
from ml_code.pipeline.definition import monitor_definition
from ml_code.pipeline.settings import MonitorSettings
from stacks.context import ModelContext
from stacks.limits import limits
from stacks.permissions import (
    allow,
    arn,
    grant_container,
    grant_job_logs,
    grant_list,
    grant_pass_role,
    grant_read,
    grant_volumes,
    grant_write,
    service_role,
)
from stacks.settings.endpoints import Drift as DriftSettings
from stacks.storage import Storage
from stacks.tracking import Tracking
from stacks.training import EXECUTIONS, JOBS, Training

_SAGEMAKER = "sagemaker.amazonaws.com"


class DriftPipeline(Construct):
    """The SageMaker pipeline that compares one window of live inputs with the training data, and its roles."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: ModelContext,
        settings: DriftSettings,
        storage: Storage,
        tracking: Tracking,
        training: Training,
        captured_prefix: str,
        reports_prefix: str,
    ) -> None:
        super().__init__(scope, id)
        names = context.names
        self._arn = arn(self, "sagemaker", f"pipeline/{names.monitor}")
        job_role = service_role(self, "JobRole", _SAGEMAKER, "What the comparison of live inputs may do")
        pipeline_role = service_role(self, "PipelineRole", _SAGEMAKER, "Starts the comparison's job")
        bucket, image_uri = storage.artifact_bucket, training.settings.image_uri
        grant_list(job_role, "ListCaptures", bucket)
        # Of production alone: a model in staging is approved by nobody.
        code = of_model(Prefix.CODE, names.model)
        grant_read(job_role, "ReadCodeAndCaptures", bucket, code, captured_prefix)
        grant_write(job_role, "WriteReports", bucket, reports_prefix)
        tracking.grant_read_write(job_role)
        grant_job_logs(job_role, self, JobLogs.PROCESSING)
        grant_container(job_role, self, image_uri, JobLogs.PROCESSING, METRIC_NAMESPACE)
        if context.key:
            grant_volumes(job_role, context.key)
        if network := context.network:
            network.grant_interfaces(job_role, _SAGEMAKER, network.jobs)
        self._allow_jobs(pipeline_role, job_role, context)
        definition = monitor_definition(
            training.settings.model_copy(
                update={"pipeline_name": names.monitor, "role_arn": job_role.role_arn}
            ),
            MonitorSettings(
                endpoint_name=names.endpoint(PRODUCTION),
                captured_uri=bucket.s3_url_for_object(captured_prefix),
                reports_uri=bucket.s3_url_for_object(reports_prefix),
                minimum_rows=settings.minimum_rows,
                threshold_percent=settings.threshold_percent,
            ),
        )
        pipeline = sagemaker.CfnPipeline(
            self,
            "Pipeline",
            pipeline_name=names.monitor,
            pipeline_definition={"PipelineDefinitionBody": definition},
            role_arn=pipeline_role.role_arn,
        )
        pipeline.node.add_dependency(pipeline_role, job_role)
        self.pipeline_name = names.monitor

    def _allow_jobs(self, pipeline_role: iam.Role, job_role: iam.Role, context: ModelContext) -> None:
        network = context.network
        jobs = [arn(self, "sagemaker", "processing-job/pipelines-*")]
        conditions = limits(
            instance_types=[context.config.compute.evaluate.instance_type],
            network=network,
            group=network.jobs if network else None,
            volume_key=context.key,
        )
        allow(pipeline_role, "StartJobs", ["sagemaker:CreateProcessingJob"], jobs, conditions, reason=JOBS)
        actions = [f"sagemaker:{verb}" for verb in ("AddTags", "DescribeProcessingJob", "StopProcessingJob")]
        allow(pipeline_role, "RunJobs", actions, jobs, reason=JOBS)
        grant_pass_role(pipeline_role, job_role, _SAGEMAKER)

    def grant_start(self, grantee: iam.IGrantable) -> None:
        """Start an execution, and see what the last one was about."""
        actions = ["sagemaker:ListPipelineExecutions", "sagemaker:StartPipelineExecution"]
        allow(grantee, "StartComparison", actions, [self._arn])
        actions = ["sagemaker:ListPipelineParametersForExecution"]
        allow(grantee, "ReadWindow", actions, [f"{self._arn}/execution/*"], reason=EXECUTIONS)

    def grant_stop(self, grantee: iam.IGrantable) -> None:
        """Let stop the executions; `Training.grant_stop` has the jobs and their logs."""
        allow(grantee, "ListComparisons", ["sagemaker:ListPipelineExecutions"], [self._arn])
        verbs = ("DescribePipelineExecution", "ListPipelineExecutionSteps", "StopPipelineExecution")
        actions = [f"sagemaker:{verb}" for verb in verbs]
        allow(grantee, "StopComparisons", actions, [f"{self._arn}/execution/*"], reason=EXECUTIONS)
