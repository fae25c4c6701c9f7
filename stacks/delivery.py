from collections.abc import Mapping
from pathlib import Path
from typing import cast

from aws_cdk import Duration, IgnoreMode, RemovalPolicy
from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct, IConstruct

from stacks.build import Build
from stacks.config import ENDPOINT_STAGES, FactoryConfig, FactoryNames
from stacks.delivery_pipeline import DeliveryPipeline
from stacks.permissions import grant_list, grant_read, grant_write
from stacks.serving import Serving
from stacks.storage import CODE, RAW_DATA, RESULTS, SERVING, WHEELS, Storage
from stacks.tracking import Tracking
from stacks.training import Training


class Delivery(Construct):
    """From a push to production: the repository, its builds, and the pipeline that runs them in order."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: FactoryConfig,
        names: FactoryNames,
        project_root: Path,
        storage: Storage,
        tracking: Tracking,
        training: Training,
        serving: Serving,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, id)
        self._config = config
        self._names = names
        self._storage = storage
        self._environment = {
            "DATA_BUCKET": storage.data_bucket.bucket_name,
            "ARTIFACT_BUCKET": storage.artifact_bucket.bucket_name,
            "MLFLOW_TRACKING_URI": tracking.tracking_uri,
        }
        self.repository = self._repository(project_root, removal_policy)
        build = self._build(training)
        deployments = {stage: self._deployment(stage, tracking, serving) for stage in ENDPOINT_STAGES}
        self.builds = [build, *deployments.values()]
        self.pipeline = DeliveryPipeline(
            self,
            "Pipeline",
            names=names,
            repository=self.repository,
            artifact_bucket=storage.artifact_bucket,
            build=build,
            deployments=deployments,
        )
        # CodePipeline starts the first run as it is made: all that a build calls must stand by then. Of the
        # repository only itself: the rule that starts the pipeline, which depends on it, lies in its scope.
        self.pipeline.node.add_dependency(
            storage,
            tracking,
            training,
            serving,
            cast(IConstruct, self.repository.node.default_child),
            *self.builds,
        )

    def _repository(self, project_root: Path, removal_policy: RemovalPolicy) -> codecommit.Repository:
        ignored = (project_root / ".gitignore").read_text().splitlines()
        seed = s3_assets.Asset(
            self, "Seed", path=str(project_root), exclude=[*ignored, ".git"], ignore_mode=IgnoreMode.GIT
        )
        repository = codecommit.Repository(
            self,
            "Repository",
            repository_name=self._names.factory,
            description=f"The model factory {self._names.factory}: a push to {self._names.branch} retrains",
            code=codecommit.Code.from_asset(seed, self._names.branch),
        )
        repository.apply_removal_policy(removal_policy)
        return repository

    def _build(self, training: Training) -> Build:
        build = self._project(
            "Build",
            name=self._names.build_project,
            buildspec="codebuild-buildspec.yml",
            # It follows an execution to its end, whose jobs have time limits of their own.
            timeout=Duration.hours(8),
            environment={"PIPELINE_SETTINGS": training.settings_json},
        )
        data, artifacts = self._storage.data_bucket, self._storage.artifact_bucket
        grant_list(build.role, "ListDataAndCode", data, artifacts)
        grant_read(build.role, "ReadData", data, RAW_DATA)
        grant_write(build.role, "SeedData", data, RAW_DATA)
        grant_read(build.role, "ReadCodeAndResults", artifacts, CODE, RESULTS, WHEELS)
        grant_write(build.role, "PublishCode", artifacts, CODE, WHEELS)
        training.grant_run(build.role)
        return build

    def _deployment(self, stage: str, tracking: Tracking, serving: Serving) -> Build:
        build = self._project(
            f"Deploy-{stage}",
            name=self._names.deploy_project(stage),
            buildspec="deploy-buildspec.yml",
            timeout=Duration.hours(1),
            environment=serving.environment(stage),
        )
        grant_write(build.role, "PublishModel", self._storage.artifact_bucket, SERVING)
        # Verification adds its report to the run of the version.
        tracking.grant_read_write(build.role)
        serving.grant_deploy(build.role, stage)
        return build

    def _project(
        self, id: str, *, name: str, buildspec: str, timeout: Duration, environment: Mapping[str, str]
    ) -> Build:
        return Build(
            self,
            id,
            name=name,
            buildspec=buildspec,
            timeout=timeout,
            environment={**self._environment, **environment},
            source_bucket=self._storage.artifact_bucket,
            source_prefix=f"{self._names.factory}/",
            log_retention_days=self._config.log_retention_days,
            key=self._storage.key,
        )
