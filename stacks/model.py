from collections.abc import Sequence

from aws_cdk import Tags
from constructs import Construct

from ml_code.contracts import ENDPOINT_STAGES, Tag
from stacks.context import ModelContext
from stacks.delivery import ModelDelivery
from stacks.drift.construct import Drift
from stacks.execution_alarms import ExecutionAlarms
from stacks.notifications import Notifications, WatchedNames
from stacks.observability import Watched
from stacks.production_alarms import ProductionAlarms
from stacks.release_code import ReleaseCode
from stacks.serving import Serving
from stacks.source import Source
from stacks.storage import Storage
from stacks.teardown.construct import FactoryTeardown, ModelTeardown
from stacks.tracking import Tracking
from stacks.training import Training
from stacks.transform_jobs import TransformJobs


class Model(Construct):
    """All that one model has of its own: from its SageMaker pipeline to its production endpoint."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: ModelContext,
        image_uri: str,
        storage: Storage,
        tracking: Tracking,
        source: Source,
        release_code: ReleaseCode,
        starts_by_push: bool,
        build_projects: Sequence[str],
    ) -> None:
        super().__init__(scope, id)
        self.context = context
        self.training = Training(
            self, "Training", context=context, image_uri=image_uri, storage=storage, tracking=tracking
        )
        alarms = self._make_production_alarms()
        self.watched = self._watch(alarms)
        self._serving = Serving(
            self,
            "Serving",
            context=context,
            artifact_bucket=storage.artifact_bucket,
            image_uri=image_uri,
            production_alarms=alarms,
        )
        self._transform_jobs = TransformJobs(
            self, "Batch", context=context, storage=storage, image_uri=image_uri
        )
        self.delivery = ModelDelivery(
            self,
            "Delivery",
            context=context,
            source=source,
            release_code=release_code,
            starts_by_push=starts_by_push,
            build_projects=build_projects,
            storage=storage,
            tracking=tracking,
            training=self.training,
            serving=self._serving,
            transform_jobs=self._transform_jobs,
        )
        # The first delivery starts as its pipeline is made, and its failure is to be reported.
        executions = self.watched and self.watched.executions
        before = [made for made in (alarms, executions, self._notify_owners(self.watched)) if made]
        self.delivery.pipeline.node.add_dependency(*before)
        self._drift = self._make_drift(storage, tracking)
        Tags.of(self).add(Tag.MODEL_NAME, context.model_name)

    def _notify_owners(self, watched: Watched | None) -> Notifications | None:
        """Make a topic of the model's own: what EventBridge publishes has no attribute to filter a common one by."""
        owners, names = self.context.config.owners, self.context.names
        if not (watched and owners):
            return None
        return Notifications(
            self,
            "Owners",
            topic_name=names.owners_topic,
            sender=f"Model {names.model} of {names.factory}",
            emails=owners,
            key=self.context.key,
            watched=WatchedNames(
                region=names.region,
                dashboard=names.dashboard,
                # Not by their beginning, which may be that of another model's.
                build_projects=[names.build_project, *map(names.deploy_project, ENDPOINT_STAGES)],
                training_pipelines=[names.pipeline],
                delivery_pipelines=[names.pipeline],
                alarms=watched.notified_alarms,
            ),
        )

    def make_teardown(self, factory_teardown: FactoryTeardown, storage: Storage, tracking: Tracking) -> None:
        ModelTeardown(
            self,
            "ModelTeardown",
            context=self.context,
            training=self.training,
            serving=self._serving,
            transform_jobs=self._transform_jobs,
            delivery=self.delivery,
            drift=self._drift,
            storage=storage,
            tracking=tracking,
            runs_before=factory_teardown.resource,
        )

    def _make_production_alarms(self) -> ProductionAlarms | None:
        config = self.context.config
        if config.monitoring or config.production.type == "realtime":
            return ProductionAlarms(self, "Guards", context=self.context)
        return None

    def _make_drift(self, storage: Storage, tracking: Tracking) -> Drift | None:
        settings = self.context.config.drift
        if not settings:
            return None
        return Drift(
            self,
            "Drift",
            context=self.context,
            settings=settings,
            storage=storage,
            tracking=tracking,
            training=self.training,
            delivery_pipeline=self.delivery.pipeline,
        )

    def _watch(self, alarms: ProductionAlarms | None) -> Watched | None:
        if not (alarms and self.context.config.monitoring):
            return None
        return Watched(
            names=self.context.names,
            executions=ExecutionAlarms(self, "Observability", context=self.context),
            production=alarms,
            has_drift=self.context.config.drift is not None,
        )
