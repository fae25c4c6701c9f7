from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Duration
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from constructs import Construct

from ml_code.contracts import (
    ENDPOINT_STAGES,
    PRODUCTION,
    STAGING,
    Prefix,
    Stage,
    Variable,
    releases_prefix,
    serving_prefix,
)
from stacks.build import Build
from stacks.context import FactoryContext
from stacks.delivery_pipeline import DeliveryPipeline
from stacks.new_data.construct import NewData
from stacks.permissions import allow, arn, grant_list, grant_read, grant_write
from stacks.release_code import ReleaseCode, deploy_buildspec
from stacks.serving import Serving
from stacks.settings.delivery import Connected
from stacks.source import ConnectedRepository, SeededRepository, Source
from stacks.storage import Storage
from stacks.tracking import Tracking
from stacks.training import Training
from stacks.triggers import Triggers


class Delivery(Construct):
    """The way of a push to production: the repository, its builds, and the pipeline that runs them in order."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: FactoryContext,
        project_files: Mapping[str, Path],
        storage: Storage,
        tracking: Tracking,
        training: Training,
        serving: Serving,
    ) -> None:
        super().__init__(scope, id)
        self._context = context
        self._storage = storage
        self._environment = {
            Variable.DATA_BUCKET: storage.data_bucket.bucket_name,
            Variable.ARTIFACT_BUCKET: storage.artifact_bucket.bucket_name,
            Variable.MLFLOW_TRACKING_URI: tracking.tracking_uri,
        }
        self._pipeline_arn = arn(self, "codepipeline", context.names.factory)
        self.source = self._source(project_files)
        build = self._build(training)
        deployments = {
            stage: self._deployment(stage, tracking, training, serving) for stage in ENDPOINT_STAGES
        }
        self.builds = [build, *deployments.values()]
        self.pipeline = DeliveryPipeline(
            self,
            "Pipeline",
            names=context.names,
            source=self.source,
            release_code=ReleaseCode(self, Stage.RELEASE_CODE),
            artifact_bucket=storage.delivery_bucket,
            build=build,
            deployments=deployments,
        )
        # CodePipeline starts the first run as it is made: all that a build calls must exist by then.
        made = [context.network] if context.network else []
        self.pipeline.node.add_dependency(
            storage, tracking, training, serving, self.source, *made, *self.builds
        )
        triggers = Triggers(
            self, "Triggers", settings=context.config.triggers, source=self.source, pipeline=self.pipeline
        )
        self.new_data = None
        if new_data := context.config.triggers.new_data:
            self.new_data = NewData(
                self,
                "NewData",
                context=context,
                quiet_seconds=new_data.quiet_seconds,
                storage=storage,
                training=training,
                pipeline=self.pipeline,
            )
        if context.config.pushing_roles:
            self._deny_approval(context.config.pushing_roles)
        self.rules = [*triggers.rules, *([self.new_data.rule] if self.new_data else [])]

    def _deny_approval(self, role_names: Sequence[str]) -> None:
        """Deny the approval to the roles that push, even if another policy of theirs allows it."""
        roles = [
            iam.Role.from_role_name(self, f"PushingRole{number}", name)
            for number, name in enumerate(role_names)
        ]
        deny = iam.PolicyStatement(
            sid="ApproveNothing",
            effect=iam.Effect.DENY,
            actions=["codepipeline:PutApprovalResult"],
            resources=[f"{self._pipeline_arn}/{Stage.APPROVAL}/{Stage.APPROVE_ACTION}"],
        )
        iam.ManagedPolicy(self, "NoApproval", roles=roles, statements=[deny])

    def _source(self, project_files: Mapping[str, Path]) -> Source:
        source = self._context.config.source
        if isinstance(source, Connected):
            return ConnectedRepository(self, "Source", context=self._context, source=source)
        return SeededRepository(
            self, "Source", context=self._context, branch=source.branch, project_files=project_files
        )

    def _build(self, training: Training) -> Build:
        build = self._project(
            "Build",
            name=self._context.names.build_project,
            buildspec=codebuild.BuildSpec.from_source_filename("codebuild-buildspec.yml"),
            # It follows an execution to its end, whose jobs have time limits of their own.
            timeout=Duration.hours(8),
            environment={Variable.PIPELINE_SETTINGS: training.settings_json},
        )
        data, artifacts = self._storage.data_bucket, self._storage.artifact_bucket
        grant_list(build.role, "ListDataAndCode", data, artifacts)
        grant_write(build.role, "SeedData", data, Prefix.RAW_DATA)
        grant_read(build.role, "ReadCodeAndResults", artifacts, Prefix.CODE, Prefix.RUNS, Prefix.WHEELS)
        grant_write(build.role, "PublishCode", artifacts, Prefix.ASSERTIONS, Prefix.CODE, Prefix.WHEELS)
        training.grant_run(build.role)
        # Why it was started, and on which data.
        allow(build.role, "ReadTrigger", ["codepipeline:GetPipelineExecution"], [self._pipeline_arn])
        build.project.node.add_dependency(training.job_role)  # which its settings name
        return build

    def _deployment(self, stage: str, tracking: Tracking, training: Training, serving: Serving) -> Build:
        # SageMaker may take eight hours for a guarded update.
        is_guarded = stage == PRODUCTION and self._context.config.production.type == "realtime"
        build = self._project(
            f"Deploy-{stage}",
            name=self._context.names.deploy_project(stage),
            buildspec=deploy_buildspec(),
            timeout=Duration.hours(10 if is_guarded else 1),
            environment=serving.environment(stage),
        )
        self._grant_archives(build.role, stage)
        # Verification adds its report to the run of the version.
        tracking.grant_read_write(build.role)
        serving.grant_deploy(build.role, stage)
        build.project.node.add_dependency(serving.role(stage))  # which it gives to the endpoint
        # What the delivery was started with and what its earlier actions exported; who approved it.
        allow(build.role, "ReadDelivery", ["codepipeline:ListActionExecutions"], [self._pipeline_arn])
        training.grant_read_record(build.role)
        if stage == STAGING:
            if isinstance(self.source, SeededRepository):
                self.source.grant_read_commit(build.role)
            serving.grant_invoke(build.role, PRODUCTION)
        return build

    def _grant_archives(self, role: iam.IRole, stage: str) -> None:
        """The archives of the stage; Production takes over what Staging made, and writes the records of releases."""
        artifacts, model = self._storage.artifact_bucket, self._context.model_name
        records, code = releases_prefix(model), Prefix.CODE
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
