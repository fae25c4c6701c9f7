from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from ml_code.contracts import JobLogs, Prefix, Tag, of_model
from ml_code.pipeline.definition import pipeline_definition
from ml_code.pipeline.settings import PipelineSettings
from stacks.context import ModelContext
from stacks.limits import limits
from stacks.permissions import (
    JOB_STREAMS,
    allow,
    arn,
    grant_container,
    grant_job_logs,
    grant_list,
    grant_pass_role,
    grant_read,
    grant_volumes,
    grant_write,
    of_factory,
    service_role,
)
from stacks.storage import Storage
from stacks.tracking import Tracking

_SAGEMAKER = "sagemaker.amazonaws.com"
_JOB_LOG_GROUPS = (JobLogs.PROCESSING, JobLogs.TRAINING)
_JOB_TYPES = {"ProcessingJob": "processing-job", "HyperParameterTuningJob": "hyper-parameter-tuning-job"}

# Why policies have patterns.
EXECUTIONS = "SageMaker names the executions of this one pipeline"
JOBS = "SageMaker names a pipeline's jobs after its executions"


class Training(Construct):
    """The SageMaker pipeline, the role that it starts jobs with, and the role that the jobs run with."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: ModelContext,
        image_uri: str,
        storage: Storage,
        tracking: Tracking,
    ) -> None:
        super().__init__(scope, id)
        self._names = context.names
        self.job_role = service_role(self, "JobRole", _SAGEMAKER, "What the code inside training jobs may do")
        self.pipeline_role = service_role(self, "PipelineRole", _SAGEMAKER, "Starts the pipeline's jobs")
        self._allow_jobs(image_uri, storage, tracking)
        self._allow_pipeline(context, storage)
        self.settings = _settings(context, self.job_role, image_uri, storage, tracking)
        if context.key:
            grant_volumes(self.job_role, context.key)
        if network := context.network:
            network.grant_interfaces(self.job_role, _SAGEMAKER, network.jobs)
        # A build gets the same settings, so a push that changes no setting writes the same definition.
        self.settings_json = Stack.of(self).to_json_string(self.settings.model_dump(exclude_none=True))
        self._pipeline = sagemaker.CfnPipeline(
            self,
            "Pipeline",
            pipeline_name=self._names.pipeline,
            pipeline_definition={"PipelineDefinitionBody": pipeline_definition(context.spec, self.settings)},
            role_arn=self.pipeline_role.role_arn,
        )
        self._pipeline.node.add_dependency(self.pipeline_role, self.job_role)

    @property
    def pipeline_name(self) -> str:
        return self._pipeline.pipeline_name

    def grant_run(self, grantee: iam.IGrantable) -> None:
        """Update the pipeline, start it, follow it to the end, or stop it, and say why it failed."""
        pipeline = arn(self, "sagemaker", f"pipeline/{self._names.pipeline}")
        allow(
            grantee,
            "StartPipeline",
            ["sagemaker:DescribePipeline", "sagemaker:StartPipelineExecution", "sagemaker:UpdatePipeline"],
            [pipeline],
        )
        allow(
            grantee,
            "FollowPipeline",
            [
                "sagemaker:DescribePipelineExecution",
                "sagemaker:ListPipelineExecutionSteps",
                "sagemaker:StopPipelineExecution",
            ],
            [f"{pipeline}/execution/*"],
            reason=EXECUTIONS,
        )
        allow(
            grantee,
            "DescribeJobs",
            [
                "sagemaker:DescribeHyperParameterTuningJob",
                "sagemaker:DescribeProcessingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
            ],
            [*self._job_arns(), arn(self, "sagemaker", "training-job/*")],
            reason=JOBS,
        )
        allow(
            grantee,
            "ReadJobLogs",
            ["logs:DescribeLogStreams", "logs:GetLogEvents"],
            self._log_group_arns(),
            reason=JOB_STREAMS,
        )
        grant_pass_role(grantee, self.pipeline_role, _SAGEMAKER)

    def grant_read_record(self, grantee: iam.IGrantable) -> None:
        """Let read SageMaker's record of one execution: its parameters, its definition, its steps."""
        verbs = (
            "DescribePipelineDefinitionForExecution",
            "DescribePipelineExecution",
            "ListPipelineExecutionSteps",
            "ListPipelineParametersForExecution",
        )
        executions = arn(self, "sagemaker", f"pipeline/{self._names.pipeline}/execution/*")
        allow(
            grantee, "ReadTrainings", [f"sagemaker:{verb}" for verb in verbs], [executions], reason=EXECUTIONS
        )

    def grant_list_executions(self, grantee: iam.IGrantable) -> None:
        pipeline = arn(self, "sagemaker", f"pipeline/{self._names.pipeline}")
        allow(grantee, "ListExecutions", ["sagemaker:ListPipelineExecutions"], [pipeline])

    def grant_stop(self, grantee: iam.IGrantable) -> None:
        """Stop what is running, down to the jobs, see it stopped, and delete what the jobs logged."""
        pipeline = arn(self, "sagemaker", f"pipeline/{self._names.pipeline}")
        self.grant_list_executions(grantee)
        allow(
            grantee,
            "StopExecutions",
            [
                "sagemaker:DescribePipelineExecution",
                "sagemaker:ListPipelineExecutionSteps",
                "sagemaker:StopPipelineExecution",
            ],
            [f"{pipeline}/execution/*"],
            reason=EXECUTIONS,
        )
        actions = [f"sagemaker:Stop{job}" for job in _JOB_TYPES]
        own = of_factory(self._names.factory)
        allow(grantee, "StopJobs", actions, self._job_arns(), own, reason=JOBS)
        actions = [f"sagemaker:Describe{job}" for job in _JOB_TYPES]
        allow(grantee, "SeeJobs", actions, self._job_arns(), reason=JOBS)
        actions = ["logs:DeleteLogStream", "logs:DescribeLogStreams"]
        allow(grantee, "DeleteJobLogs", actions, self._log_group_arns(), reason=JOB_STREAMS)

    def _allow_jobs(self, image_uri: str, storage: Storage, tracking: Tracking) -> None:
        data_bucket, artifact_bucket = storage.data_bucket, storage.artifact_bucket
        grant_list(self.job_role, "ListInputs", data_bucket, artifact_bucket)
        code, runs = self._own(Prefix.CODE), self._own(Prefix.RUNS)
        grant_read(self.job_role, "ReadData", data_bucket, self._own(Prefix.RAW_DATA))
        grant_read(self.job_role, "ReadCodeAndResults", artifact_bucket, code, runs)
        grant_write(self.job_role, "WriteResults", artifact_bucket, runs)
        tracking.grant_read_write(self.job_role)
        grant_job_logs(self.job_role, self, *_JOB_LOG_GROUPS)
        grant_container(self.job_role, self, image_uri, *_JOB_LOG_GROUPS)

    def _allow_pipeline(self, context: ModelContext, storage: Storage) -> None:
        role, compute, network = self.pipeline_role, context.config.compute, context.network
        group = network.jobs if network else None
        # A push writes the pipeline's definition: what its jobs run on, and where, is the stack's to say.
        types = {
            "ProcessingJob": [compute.preprocess.instance_type, compute.evaluate.instance_type],
            "HyperParameterTuningJob": [compute.training.instance_type],
        }
        for job, jobs in zip(_JOB_TYPES, self._job_arns(), strict=True):
            conditions = limits(
                instance_types=types[job], network=network, group=group, volume_key=context.key
            )
            allow(role, f"Start{job}s", [f"sagemaker:Create{job}"], [jobs], conditions, reason=JOBS)
        verbs = ("Describe", "Stop")
        actions = [f"sagemaker:{verb}{job}" for verb in verbs for job in _JOB_TYPES]
        allow(role, "RunJobs", [*actions, "sagemaker:AddTags"], self._job_arns(), reason=JOBS)
        # The best training job is a property of the tuning step.
        list_trainings = "sagemaker:ListTrainingJobsForHyperParameterTuningJob"
        allow(
            role,
            "RankTrainingJobs",
            [list_trainings],
            [arn(self, "sagemaker", "hyper-parameter-tuning-job/*")],
            reason=JOBS,
        )
        # Condition steps read property files, which evaluation writes.
        grant_read(role, "ReadPropertyFiles", storage.artifact_bucket, self._own(Prefix.RUNS))
        grant_pass_role(role, self.job_role, _SAGEMAKER)

    def _own(self, prefix: str) -> str:
        return of_model(prefix, self._names.model)

    def _job_arns(self) -> list[str]:
        # Processing jobs of any pipeline are called pipelines-<execution>-<step>-<random>; tuning jobs, whose
        # names are shorter, begin with the execution's id, which no policy can know.
        return [
            arn(self, "sagemaker", "processing-job/pipelines-*"),
            arn(self, "sagemaker", "hyper-parameter-tuning-job/*"),
        ]

    def _log_group_arns(self) -> list[str]:
        return [arn(self, "logs", f"log-group:{name}:*") for name in _JOB_LOG_GROUPS]


def _settings(
    context: ModelContext, job_role: iam.IRole, image_uri: str, storage: Storage, tracking: Tracking
) -> PipelineSettings:
    config, names, key, network = context.config, context.names, context.key, context.network
    return PipelineSettings(
        pipeline_name=names.pipeline,
        model_name=names.model,
        region=names.region,
        role_arn=job_role.role_arn,
        artifact_bucket=storage.artifact_bucket.bucket_name,
        mlflow_tracking_uri=tracking.tracking_uri,
        image_uri=image_uri,
        compute=config.compute,
        kms_key_arn=key.key_arn if key else None,
        tags={**config.tags, Tag.FACTORY: names.factory, Tag.MODEL_NAME: names.model},
        subnet_ids=[subnet.subnet_id for subnet in network.subnets] if network else None,
        security_group_ids=[network.jobs.security_group_id] if network else None,
    )
