import json
from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from constructs import Construct

from ml_code.contracts import (
    AUTOMATIC_APPROVAL,
    ENDPOINT_STAGES,
    PRODUCTION,
    STAGING,
    Prefix,
    Variable,
    of_model,
    releases_prefix,
    serving_prefix,
)
from stacks.build import Build
from stacks.context import ModelContext
from stacks.delivery_pipeline import DeliveryPipeline
from stacks.new_data.construct import NewData
from stacks.permissions import allow, arn, grant_list, grant_read, grant_write
from stacks.release_code import ReleaseCode, deploy_buildspec
from stacks.serving import Serving
from stacks.source import SeededRepository, Source
from stacks.storage import Storage
from stacks.tracking import Tracking
from stacks.training import Training
from stacks.transform_jobs import TransformJobs
from stacks.triggers import Triggers


class ModelDelivery(Construct):
    """The way from a commit to production, for one model: its builds, and the pipeline that runs them in order."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: ModelContext,
        source: Source,
        release_code: ReleaseCode,
        starts_by_push: bool,
        build_projects: Sequence[str],
        storage: Storage,
        tracking: Tracking,
        training: Training,
        serving: Serving,
        transform_jobs: TransformJobs,
    ) -> None:
        super().__init__(scope, id)
        self._context = context
        self._model = context.model_name
        self._storage = storage
        self._environment = {
            Variable.DATA_BUCKET: storage.data_bucket.bucket_name,
            Variable.ARTIFACT_BUCKET: storage.artifact_bucket.bucket_name,
            Variable.MLFLOW_TRACKING_URI: tracking.tracking_uri,
        }
        self._source = source
        self._pipeline_arn = arn(self, "codepipeline", context.names.pipeline)
        build = self._build(training, build_projects)
        deployments = {
            stage: self._deployment(stage, tracking, training, serving, transform_jobs)
            for stage in ENDPOINT_STAGES
        }
        self.builds = [build, *deployments.values()]
        self.pipeline = DeliveryPipeline(
            self,
            "Pipeline",
            names=context.names,
            source=source,
            triggers=source.triggers if starts_by_push else [],
            release_code=release_code,
            artifact_bucket=storage.delivery_bucket,
            build=build,
            deployments=deployments,
            has_approval=context.config.approval != AUTOMATIC_APPROVAL,
        )
        # CodePipeline starts the first run as it is made: all that a build calls must exist by then.
        made = [context.network] if context.network else []
        self.pipeline.node.add_dependency(storage, tracking, training, serving, source, *made, *self.builds)
        own = context.config.triggers
        triggers = Triggers(
            self,
            "Triggers",
            pipeline_arn=self.pipeline.arn,
            push_events=source.push_events if starts_by_push and own.push else None,
            schedule=own.schedule,
        )
        self.new_data = self._new_data(training)
        self.rules = [*triggers.rules, *([self.new_data.rule] if self.new_data else [])]

    def _new_data(self, training: Training) -> NewData | None:
        settings = self._context.config.triggers.new_data
        if not settings:
            return None
        return NewData(
            self,
            "NewData",
            context=self._context,
            quiet_seconds=settings.quiet_seconds,
            storage=self._storage,
            training=training,
            pipeline=self.pipeline,
        )

    def _build(self, training: Training, build_projects: Sequence[str]) -> Build:
        build = self._project(
            "Build",
            name=self._context.names.build_project,
            buildspec=codebuild.BuildSpec.from_source_filename("codebuild-buildspec.yml"),
            # It follows an execution to its end, whose jobs have time limits of their own; beside others it waits first.
            timeout=Duration.hours(8 if len(build_projects) < 2 else 24),
            environment={
                Variable.MODEL_NAME: self._model,
                Variable.PIPELINE_SETTINGS: training.settings_json,
                **self._turns(build_projects),
            },
        )
        data, artifacts = self._storage.data_bucket, self._storage.artifact_bucket
        code, runs, inputs = (
            of_model(prefix, self._model) for prefix in (Prefix.CODE, Prefix.RUNS, Prefix.INPUTS)
        )
        grant_list(build.role, "ListDataAndCode", data, artifacts)
        grant_write(build.role, "SeedData", data, of_model(Prefix.RAW_DATA, self._model))
        grant_read(build.role, "ReadCodeAndResults", artifacts, code, runs, Prefix.WHEELS)
        grant_write(build.role, "PublishCode", artifacts, Prefix.ASSERTIONS, code, inputs, Prefix.WHEELS)
        if len(build_projects) > 1:
            projects = [arn(self, "codebuild", f"project/{name}") for name in build_projects]
            actions = ["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject"]
            allow(build.role, "SeeOtherBuilds", actions, projects)
        training.grant_run(build.role)
        # Why it was started, and on which data.
        allow(build.role, "ReadTrigger", ["codepipeline:GetPipelineExecution"], [self._pipeline_arn])
        build.project.node.add_dependency(training.job_role)  # which its settings name
        return build

    def _turns(self, build_projects: Sequence[str]) -> dict[str, str]:
        """Environment variables that limit how many builds train at a time."""
        if len(build_projects) < 2:
            return {}
        return {
            Variable.BUILD_PROJECTS: json.dumps(list(build_projects)),
            Variable.MAX_PARALLEL_TRAININGS: str(self._context.config.max_parallel_trainings),
        }

    def _deployment(
        self,
        stage: str,
        tracking: Tracking,
        training: Training,
        serving: Serving,
        transform_jobs: TransformJobs,
    ) -> Build:
        # SageMaker may take eight hours for a guarded update.
        is_guarded = stage == PRODUCTION and self._context.config.production.type == "realtime"
        build = self._project(
            f"Deploy-{stage}",
            name=self._context.names.deploy_project(stage),
            buildspec=deploy_buildspec(),
            timeout=Duration.hours(10 if is_guarded else 1),
            environment={
                **serving.environment(stage),
                Variable.BATCH_SETTINGS: transform_jobs.settings_json,
            },
        )
        self._grant_archives(build.role, stage)
        # Verification adds its report to the run of the version.
        tracking.grant_read_write(build.role)
        serving.grant_deploy(build.role, stage)
        # Which it gives to the endpoint, and what a file is scored with.
        build.project.node.add_dependency(serving.role(stage), transform_jobs.role)
        # What the delivery was started with and what its earlier actions exported; who approved it.
        allow(build.role, "ReadDelivery", ["codepipeline:ListActionExecutions"], [self._pipeline_arn])
        training.grant_read_record(build.role)
        if stage == STAGING:
            if isinstance(self._source, SeededRepository):
                self._source.grant_read_commit(build.role)
            serving.grant_invoke(build.role, PRODUCTION)
        return build

    def _grant_archives(self, role: iam.IRole, stage: str) -> None:
        """The archives of the stage; Production takes over what Staging made, and writes the records of releases."""
        artifacts, model = self._storage.artifact_bucket, self._model
        records, code = releases_prefix(model), of_model(Prefix.CODE, model)
        own = serving_prefix(stage, model)
        grant_list(role, "ListArtifacts", artifacts)
        if stage == PRODUCTION:
            grant_read(role, "ReadReleases", artifacts, code, own, serving_prefix(STAGING, model), records)
            grant_write(role, "WriteRelease", artifacts, own, records)
        else:
            grant_read(role, "ReadReleases", artifacts, code, own, records)
            grant_write(role, "WriteRelease", artifacts, own)

    def _project(
        self,
        id: str,
        *,
        name: str,
        buildspec: codebuild.BuildSpec,
        timeout: Duration,
        environment: Mapping[str, str],
    ) -> Build:
        return Build(
            self,
            id,
            name=name,
            buildspec=buildspec,
            timeout=timeout,
            environment={**self._environment, **environment},
            source_bucket=self._storage.delivery_bucket,
            context=self._context,
        )
