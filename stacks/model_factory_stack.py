import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import CfnOutput, CfnResource, Fn, Stack, Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from ml_code.contracts import PRODUCTION, Output, Stage, Tag, TemplateMetadata
from ml_code.pipeline.definition import scikit_learn_image_uri
from ml_code.spec import ModelSpec
from stacks.approval import deny_approval
from stacks.context import FactoryContext, ModelContext
from stacks.model import Model
from stacks.names import FactoryNames, ModelNames, check_names
from stacks.network import ZONES, Network
from stacks.observability import Observability
from stacks.push_pipeline import PushPipeline
from stacks.quota_needs import quota_needs
from stacks.regions import check_region
from stacks.release_code import ReleaseCode
from stacks.settings.delivery import Connected
from stacks.settings.factory import FactoryConfig
from stacks.settings.model import model_config
from stacks.source import ConnectedRepository, SeededRepository, Source
from stacks.storage import Storage
from stacks.teardown.construct import FactoryTeardown
from stacks.template_limits import check_resources
from stacks.tracking import Tracking


class ModelFactoryStack(Stack):
    """The whole factory: the shared resources, and those of each model.

    `region` must be known at synth, because images lie in an account per region.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        config: FactoryConfig,
        specs: Sequence[ModelSpec],
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
            # Indentation is a third of a template, whose bytes are limited.
            suppress_template_indentation=True,
        )
        self._image_uri = scikit_learn_image_uri(region)
        names = FactoryNames(
            factory=config.name,
            account=self.account,
            region=region,
            unprefixed_model=config.unprefixed_model,
        )
        self._storage = Storage(self, "Storage", config=config, names=names)
        self._context = self._make_context(config, names)
        self._tracking = Tracking(
            self, "Tracking", context=self._context, artifact_bucket=self._storage.artifact_bucket
        )
        self._delivery = Construct(self, "Delivery")
        self._source = self._make_source(project_files)
        serving = [spec for spec in specs if not spec.retire]
        if not serving:
            raise ValueError(
                "All models have retire: true, and a factory needs one: keep one, or run cdk destroy to end the factory."
            )
        self._retired = [*(spec.name for spec in specs if spec.retire), *config.retired_models]
        self._retired_data = {
            spec.name: model_config(config, spec.name, spec.factory).retired_data for spec in specs
        }
        self.models = self._make_models([_model_context(self._context, spec) for spec in serving])
        self._deny_approval()
        self._make_teardown(self._make_push_pipeline())
        self._bound_permissions()
        self._tag()
        self._add_outputs(self._make_observability())
        self._check(region)
        # What operations compare the account's quotas with.
        needs = quota_needs([model.context for model in self.models], config.max_parallel_trainings)
        self.template_options.metadata = {TemplateMetadata.QUOTA_NEEDS: dict(needs)}

    @property
    def availability_zones(self) -> list[str]:
        """The zones by position: for names, CDK would ask the account."""
        return [Fn.select(index, Fn.get_azs()) for index in range(ZONES)]

    def _make_context(self, config: FactoryConfig, names: FactoryNames) -> FactoryContext:
        key, network = self._storage.key, None
        if config.network.type != "none":
            network = Network(self, "Network", config=config, names=names, key=key)
        return FactoryContext(config=config, names=names, key=key, network=network)

    def _make_source(self, project_files: Mapping[str, Path]) -> Source:
        source = self._context.config.source
        if isinstance(source, Connected):
            return ConnectedRepository(self._delivery, "Source", context=self._context, source=source)
        return SeededRepository(
            self._delivery,
            "Source",
            context=self._context,
            branch=source.branch,
            project_files=project_files,
        )

    def _make_models(self, contexts: Sequence[ModelContext]) -> list[Model]:
        check_names([context.names for context in contexts])
        release_code = ReleaseCode(self._delivery, Stage.RELEASE_CODE)
        build_projects = [context.names.build_project for context in contexts]
        return [
            Model(
                self,
                _id(context.names),
                context=context,
                image_uri=self._image_uri,
                storage=self._storage,
                tracking=self._tracking,
                source=self._source,
                release_code=release_code,
                starts_by_push=len(contexts) == 1,
                build_projects=build_projects,
            )
            for context in contexts
        ]

    def _make_push_pipeline(self) -> PushPipeline | None:
        """Return none with one model: there a push starts the delivery itself."""
        if len(self.models) == 1:
            return None
        return PushPipeline(
            self._delivery,
            "Push",
            context=self._context,
            models={model.context.model_name: model.context.names for model in self.models},
            source=self._source,
            storage=self._storage,
            made_before=[self._source, *(model.delivery for model in self.models)],
        )

    def _deny_approval(self) -> None:
        if role_names := self._context.config.pushing_roles:
            pipelines = [model.delivery.pipeline.arn for model in self.models]
            deny_approval(self._delivery, role_names, pipelines)

    def _make_teardown(self, push_pipeline: PushPipeline | None) -> None:
        made = [made for made in (push_pipeline, self._context.network) if made]
        teardown = FactoryTeardown(
            self,
            "Teardown",
            context=self._context,
            storage=self._storage,
            push_pipeline=push_pipeline,
            production_endpoints={
                model.context.model_name: model.context.names.endpoint(PRODUCTION) for model in self.models
            },
            retired_models=self._retired,
            retired_data=self._retired_data,
            depends_on=[self._tracking, self._delivery, *made],
        )
        for model in self.models:
            model.make_teardown(teardown, self._storage, self._tracking)

    def _make_observability(self) -> Observability | None:
        monitoring = self._context.config.monitoring
        if not monitoring:
            return None
        observability = Observability(
            self,
            "Observability",
            context=self._context,
            monitoring=monitoring,
            models=[model.watched for model in self.models if model.watched],
        )
        # The first delivery starts as its pipeline is made, and its failure is to be reported.
        for model in self.models:
            model.delivery.pipeline.node.add_dependency(observability)
        return observability

    def _bound_permissions(self) -> None:
        if boundary := self._context.config.permissions_boundary:
            iam.PermissionsBoundary.of(self).apply(_managed_policy(self, boundary))

    def _tag(self) -> None:
        config = self._context.config
        for key, value in {**config.tags, Tag.FACTORY: config.name}.items():
            Tags.of(self).add(key, value)

    def _add_outputs(self, observability: Observability | None) -> None:
        prefixes = {model.context.model_name: model.context.names.prefix for model in self.models}
        outputs = {
            Output.REPOSITORY_CLONE_URL: self._source.clone_url,
            Output.MLFLOW_TRACKING_URI: self._tracking.tracking_uri,
            Output.DATA_BUCKET_NAME: self._storage.data_bucket.bucket_name,
            Output.ARTIFACT_BUCKET_NAME: self._storage.artifact_bucket.bucket_name,
            Output.MODEL_PREFIXES: json.dumps(prefixes),
        }
        if observability:
            outputs[Output.NOTIFICATION_TOPIC_ARN] = observability.notifications.topic.topic_arn
        for key, value in outputs.items():
            CfnOutput(self, key, value=value)

    def _check(self, region: str) -> None:
        resources = [found for found in self.node.find_all() if isinstance(found, CfnResource)]
        check_region(region, {found.cfn_resource_type for found in resources})
        of_models = sum(
            isinstance(found, CfnResource) for model in self.models for found in model.node.find_all()
        )
        check_resources(len(resources), of_models, model_count=len(self.models))


def _model_context(factory: FactoryContext, spec: ModelSpec) -> ModelContext:
    return ModelContext(
        config=model_config(factory.config, spec.name, spec.factory),
        names=factory.names.of_model(spec.name),
        spec=spec,
        key=factory.key,
        network=factory.network,
    )


def _id(names: ModelNames) -> str:
    """The construct's id. `Default` adds nothing to logical ids: they are those of a stack from before it held several."""
    return "Default" if names.prefix == names.factory else f"Model-{names.model}"


def _managed_policy(scope: Construct, name_or_arn: str) -> iam.IManagedPolicy:
    if name_or_arn.startswith("arn:"):
        return iam.ManagedPolicy.from_managed_policy_arn(scope, "PermissionsBoundary", name_or_arn)
    return iam.ManagedPolicy.from_managed_policy_name(scope, "PermissionsBoundary", name_or_arn)
