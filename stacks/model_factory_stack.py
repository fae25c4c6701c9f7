from pathlib import Path

from aws_cdk import CfnOutput, Fn, RemovalPolicy, Stack, Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from ml_code.contracts import PRODUCTION, STAGING, Output, Tag
from ml_code.pipeline import scikit_learn_image_uri
from ml_code.spec import ModelSpec
from stacks.batch import Batch
from stacks.config import FactoryConfig
from stacks.config_combinations import MIN_ZONES
from stacks.delivery import Delivery
from stacks.drift.construct import Drift
from stacks.guards import Guards
from stacks.names import FactoryNames
from stacks.network import Network
from stacks.observability import Observability
from stacks.regions import check_region
from stacks.serving import Serving
from stacks.storage import Storage
from stacks.teardown.construct import Teardown
from stacks.tracking import Tracking
from stacks.training import Training


class ModelFactoryStack(Stack):
    """The whole factory. `region` must be known at synth, because images lie in an account per region."""

    def __init__(
        self,
        scope: Construct,
        *,
        config: FactoryConfig,
        spec: ModelSpec,
        project_root: Path,
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
        names = FactoryNames(factory=config.name, account=self.account, region=region)
        removal_policy = RemovalPolicy.RETAIN if config.keeps_data_on_destroy else RemovalPolicy.DESTROY
        check_region(config, region)
        image_uri = scikit_learn_image_uri(region)
        storage = Storage(self, "Storage", config=config, names=names, removal_policy=removal_policy)
        network = None
        if config.network != "none":
            network = Network(self, "Network", config=config, names=names, key=storage.key)
        tracking = Tracking(
            self,
            "Tracking",
            config=config,
            names=names,
            artifact_bucket=storage.artifact_bucket,
            removal_policy=removal_policy,
            key=storage.key,
            network=network,
        )
        training = Training(
            self,
            "Training",
            config=config,
            names=names,
            spec=spec,
            image_uri=image_uri,
            data_bucket=storage.data_bucket,
            artifact_bucket=storage.artifact_bucket,
            tracking=tracking,
            key=storage.key,
            network=network,
        )
        guards = None
        if config.monitoring or config.endpoint_mode == "realtime":
            guards = Guards(self, "Guards", config=config, names=names)
        serving = Serving(
            self,
            "Serving",
            config=config,
            names=names,
            artifact_bucket=storage.artifact_bucket,
            image_uri=image_uri,
            guards=guards,
            key=storage.key,
            network=network,
        )
        delivery = Delivery(
            self,
            "Delivery",
            config=config,
            names=names,
            project_root=project_root,
            storage=storage,
            tracking=tracking,
            training=training,
            serving=serving,
            removal_policy=removal_policy,
            network=network,
        )
        batch = Batch(self, "Batch", names=names, storage=storage, image_uri=image_uri, network=network)
        drift = None
        if config.drift_monitoring:
            drift = Drift(
                self,
                "Drift",
                config=config,
                names=names,
                storage=storage,
                tracking=tracking,
                training=training,
                network=network,
                delivery_pipeline=delivery.pipeline,
            )
        Teardown(
            self,
            "Teardown",
            config=config,
            names=names,
            storage=storage,
            tracking=tracking,
            training=training,
            serving=serving,
            batch=batch,
            delivery=delivery,
            drift=drift,
            network=network,
        )
        if config.permissions_boundary:
            iam.PermissionsBoundary.of(self).apply(_managed_policy(self, config.permissions_boundary))
        for key, value in {**config.tags, Tag.FACTORY: config.name}.items():
            Tags.of(self).add(key, value)
        outputs = {
            Output.REPOSITORY_CLONE_URL: delivery.source.clone_url,
            Output.DELIVERY_PIPELINE_NAME: delivery.pipeline.name,
            Output.TRAINING_PIPELINE_NAME: training.pipeline_name,
            Output.MLFLOW_TRACKING_URI: tracking.tracking_uri,
            Output.DATA_BUCKET_NAME: storage.data_bucket.bucket_name,
            Output.ARTIFACT_BUCKET_NAME: storage.artifact_bucket.bucket_name,
            Output.BATCH_SETTINGS: batch.settings_json,
            Output.STAGING_ENDPOINT_NAME: names.endpoint(STAGING),
            Output.PRODUCTION_ENDPOINT_NAME: names.endpoint(PRODUCTION),
        }
        if guards:
            delivery.pipeline.node.add_dependency(guards)
        if guards and config.monitoring:
            observability = Observability(
                self, "Observability", config=config, names=names, key=storage.key, guards=guards
            )
            # Who is to be told stands before the first delivery, which may fail, starts.
            delivery.pipeline.node.add_dependency(observability)
            outputs[Output.NOTIFICATION_TOPIC_ARN] = observability.notifications.topic.topic_arn
        for key, value in outputs.items():
            CfnOutput(self, key, value=value)

    @property
    def availability_zones(self) -> list[str]:
        """By position: for names, CDK would ask the account."""
        return [Fn.select(index, Fn.get_azs()) for index in range(MIN_ZONES)]


def _managed_policy(scope: Construct, name_or_arn: str) -> iam.IManagedPolicy:
    if name_or_arn.startswith("arn:"):
        return iam.ManagedPolicy.from_managed_policy_arn(scope, "PermissionsBoundary", name_or_arn)
    return iam.ManagedPolicy.from_managed_policy_name(scope, "PermissionsBoundary", name_or_arn)
