from collections.abc import Mapping
from pathlib import Path

from aws_cdk import CfnOutput, CfnResource, Fn, Stack, Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from ml_code.contracts import PRODUCTION, STAGING, Output, Tag, TemplateMetadata
from ml_code.pipeline.definition import scikit_learn_image_uri
from ml_code.spec import ModelSpec
from stacks.context import FactoryContext
from stacks.delivery import Delivery
from stacks.drift.construct import Drift
from stacks.names import FactoryNames
from stacks.network import ZONES, Network
from stacks.observability import Observability
from stacks.production_alarms import ProductionAlarms
from stacks.quota_needs import quota_needs
from stacks.regions import check_region
from stacks.serving import Serving
from stacks.settings.factory import FactoryConfig
from stacks.storage import Storage
from stacks.teardown.construct import Teardown
from stacks.tracking import Tracking
from stacks.training import Training
from stacks.transform_jobs import TransformJobs


class ModelFactoryStack(Stack):
    """The whole factory. `region` must be known at synth, because images lie in an account per region."""

    def __init__(
        self,
        scope: Construct,
        *,
        config: FactoryConfig,
        spec: ModelSpec,
        project_files: Mapping[str, Path],
        account: str | None,
        region: str,
    ) -> None:
        super().__init__(
            scope,
            config.name,
            env={"account": account, "region": region},
            description="A model factory: a push retrains, a qualified model goes to production",
            termination_protection=config.keeps_data_on_destroy,
            analytics_reporting=False,
        )
        self._image_uri = scikit_learn_image_uri(region)
        names = FactoryNames(factory=config.name, account=self.account, region=region)
        self._storage = Storage(self, "Storage", config=config, names=names)
        self._context = self._make_context(config, names, spec.name)
        self._tracking = self._make_tracking()
        self._training = self._make_training(spec)
        self._production_alarms = self._make_production_alarms()
        self._serving = self._make_serving()
        self._delivery = self._make_delivery(project_files)
        self._transform_jobs = self._make_transform_jobs()
        self._make_teardown(self._make_drift())
        self._bound_permissions()
        self._tag()
        self._add_outputs(self._make_observability())
        check_region(
            region,
            {found.cfn_resource_type for found in self.node.find_all() if isinstance(found, CfnResource)},
        )
        # What operations compare the account's quotas with.
        needs = quota_needs(config, parallel_training_jobs=spec.tuning.max_parallel_jobs)
        self.template_options.metadata = {TemplateMetadata.QUOTA_NEEDS: dict(needs)}

    @property
    def availability_zones(self) -> list[str]:
        """The zones by position: for names, CDK would ask the account."""
        return [Fn.select(index, Fn.get_azs()) for index in range(ZONES)]

    def _make_context(self, config: FactoryConfig, names: FactoryNames, model_name: str) -> FactoryContext:
        key, network = self._storage.key, None
        if config.network.type != "none":
            network = Network(self, "Network", config=config, names=names, key=key)
        return FactoryContext(config=config, names=names, model_name=model_name, key=key, network=network)

    def _make_tracking(self) -> Tracking:
        return Tracking(
            self, "Tracking", context=self._context, artifact_bucket=self._storage.artifact_bucket
        )

    def _make_training(self, spec: ModelSpec) -> Training:
        return Training(
            self,
            "Training",
            context=self._context,
            spec=spec,
            image_uri=self._image_uri,
            storage=self._storage,
            tracking=self._tracking,
        )

    def _make_production_alarms(self) -> ProductionAlarms | None:
        config = self._context.config
        if config.monitoring or config.production.type == "realtime":
            return ProductionAlarms(self, "Guards", context=self._context)
        return None

    def _make_serving(self) -> Serving:
        return Serving(
            self,
            "Serving",
            context=self._context,
            artifact_bucket=self._storage.artifact_bucket,
            image_uri=self._image_uri,
            production_alarms=self._production_alarms,
        )

    def _make_delivery(self, project_files: Mapping[str, Path]) -> Delivery:
        delivery = Delivery(
            self,
            "Delivery",
            context=self._context,
            project_files=project_files,
            storage=self._storage,
            tracking=self._tracking,
            training=self._training,
            serving=self._serving,
        )
        if self._production_alarms:
            delivery.pipeline.node.add_dependency(self._production_alarms)
        return delivery

    def _make_transform_jobs(self) -> TransformJobs:
        return TransformJobs(
            self, "Batch", context=self._context, storage=self._storage, image_uri=self._image_uri
        )

    def _make_drift(self) -> Drift | None:
        settings = self._context.config.drift
        if not settings:
            return None
        return Drift(
            self,
            "Drift",
            context=self._context,
            settings=settings,
            storage=self._storage,
            tracking=self._tracking,
            training=self._training,
            delivery_pipeline=self._delivery.pipeline,
        )

    def _make_teardown(self, drift: Drift | None) -> None:
        Teardown(
            self,
            "Teardown",
            context=self._context,
            storage=self._storage,
            tracking=self._tracking,
            training=self._training,
            serving=self._serving,
            transform_jobs=self._transform_jobs,
            delivery=self._delivery,
            drift=drift,
        )

    def _make_observability(self) -> Observability | None:
        monitoring = self._context.config.monitoring
        if not (self._production_alarms and monitoring):
            return None
        observability = Observability(
            self,
            "Observability",
            context=self._context,
            monitoring=monitoring,
            has_drift=self._context.config.drift is not None,
            production_alarms=self._production_alarms,
        )
        # The first delivery starts as its pipeline is made, and its failure is to be reported.
        self._delivery.pipeline.node.add_dependency(observability)
        return observability

    def _bound_permissions(self) -> None:
        if boundary := self._context.config.permissions_boundary:
            iam.PermissionsBoundary.of(self).apply(_managed_policy(self, boundary))

    def _tag(self) -> None:
        config = self._context.config
        for key, value in {**config.tags, Tag.FACTORY: config.name}.items():
            Tags.of(self).add(key, value)

    def _add_outputs(self, observability: Observability | None) -> None:
        names = self._context.names
        outputs = {
            Output.REPOSITORY_CLONE_URL: self._delivery.source.clone_url,
            Output.DELIVERY_PIPELINE_NAME: self._delivery.pipeline.name,
            Output.TRAINING_PIPELINE_NAME: self._training.pipeline_name,
            Output.MLFLOW_TRACKING_URI: self._tracking.tracking_uri,
            Output.DATA_BUCKET_NAME: self._storage.data_bucket.bucket_name,
            Output.ARTIFACT_BUCKET_NAME: self._storage.artifact_bucket.bucket_name,
            Output.BATCH_SETTINGS: self._transform_jobs.settings_json,
            Output.STAGING_ENDPOINT_NAME: names.endpoint(STAGING),
            Output.PRODUCTION_ENDPOINT_NAME: names.endpoint(PRODUCTION),
        }
        if observability:
            outputs[Output.NOTIFICATION_TOPIC_ARN] = observability.notifications.topic.topic_arn
        for key, value in outputs.items():
            CfnOutput(self, key, value=value)


def _managed_policy(scope: Construct, name_or_arn: str) -> iam.IManagedPolicy:
    if name_or_arn.startswith("arn:"):
        return iam.ManagedPolicy.from_managed_policy_arn(scope, "PermissionsBoundary", name_or_arn)
    return iam.ManagedPolicy.from_managed_policy_name(scope, "PermissionsBoundary", name_or_arn)
