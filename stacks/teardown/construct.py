from collections.abc import Mapping, Sequence

from aws_cdk import CustomResource, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct, IDependable

from ml_code.contracts import (
    BATCH,
    ENDPOINT_STAGES,
    PRODUCTION,
    Prefix,
    RetiredData,
    Stage,
    TeardownProperty,
    of_model,
    releases_prefix,
    serving_prefix,
)
from stacks.build import Build
from stacks.context import Context, FactoryContext, ModelContext
from stacks.delivery import ModelDelivery
from stacks.drift.construct import Drift
from stacks.drift.pipeline import DriftPipeline
from stacks.function import own_function
from stacks.permissions import allow, arn, grant_delete, of_factory
from stacks.push_pipeline import PushPipeline
from stacks.serving import Serving
from stacks.storage import Storage
from stacks.tracking import Tracking
from stacks.training import Training
from stacks.transform_jobs import TransformJobs

# Why policies have patterns.
_TEAM_GROUPS = "A team's own steps name groups, SageMaker names packages"


class ModelTeardown(Construct):
    """Removes what run-time code made of one model, before CloudFormation deletes the resources that it uses.

    It runs on destroy, and when the model is taken out of the factory. CDK's own `auto_delete_objects` and custom
    resource provider are left out: they would bring Node functions, with log groups that stay after a destroy.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: ModelContext,
        training: Training,
        serving: Serving,
        transform_jobs: TransformJobs,
        delivery: ModelDelivery,
        drift: Drift | None,
        storage: Storage,
        tracking: Tracking,
        runs_before: IDependable,
    ) -> None:
        super().__init__(scope, id)
        names = context.names
        function, role = _function(self, context, names.teardown_function, "one model's")
        rules = [*delivery.rules, *(drift.rules if drift else [])]
        pipelines: list[Training | DriftPipeline] = [training, *([drift.pipeline] if drift else [])]
        _allow_disable(role, rules)
        _allow_stop_pipeline(role, delivery.pipeline.arn)
        if delivery.new_data:
            allow(role, "DeleteSchedule", ["scheduler:DeleteSchedule"], [delivery.new_data.schedule_arn])
        _allow_stop_builds(role, delivery.builds)
        for pipeline in pipelines:
            pipeline.grant_stop(role)
        serving.grant_remove(role)
        transform_jobs.grant_remove(role)
        deletes = context.config.retired_data == RetiredData.DELETE
        data = _deleted_data(self, role, context, storage, tracking) if deletes else {}
        resource = _resource(
            self,
            function,
            {
                TeardownProperty.FACTORY_NAME: names.factory,
                TeardownProperty.RULE_NAMES: [rule.rule_name for rule in rules],
                TeardownProperty.SCHEDULE_NAMES: (
                    [delivery.new_data.schedule_name] if delivery.new_data else []
                ),
                TeardownProperty.DELIVERY_PIPELINE_NAMES: [delivery.pipeline.name],
                TeardownProperty.BUILD_PROJECT_NAMES: _project_names(delivery.builds),
                TeardownProperty.SAGEMAKER_PIPELINE_NAMES: [each.pipeline_name for each in pipelines],
                TeardownProperty.ENDPOINT_NAMES: [names.endpoint(stage) for stage in ENDPOINT_STAGES],
                TeardownProperty.BATCH_PREFIXES: [transform_jobs.prefix],
                **data,
            },
        )
        # What depends is deleted first: all that the function needs or cleans still exists when it runs.
        made = [made for made in (drift, context.network) if made]
        resource.node.add_dependency(
            training, serving, transform_jobs, delivery, function, runs_before, *made
        )


class FactoryTeardown(Construct):
    """Removes on destroy what run-time code made of the whole factory, after that of each model.

    It fails an update that would remove a model in production which is not retired, before anything of it is removed.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: FactoryContext,
        storage: Storage,
        push_pipeline: PushPipeline | None,
        production_endpoints: Mapping[str, str],
        retired_models: Sequence[str],
        retired_data: Mapping[str, str],
        depends_on: Sequence[IDependable],
    ) -> None:
        super().__init__(scope, id)
        names = context.names
        function, role = _function(self, context, names.teardown_function, "the factory's")
        buckets = [] if context.config.keeps_data_on_destroy else [*storage.buckets.values()]
        if buckets:
            _allow_empty(role, buckets)
        if push_pipeline:
            _allow_disable(role, push_pipeline.rules)
            _allow_stop_pipeline(role, push_pipeline.pipeline_arn)
            _allow_stop_builds(role, [push_pipeline.build])
        _allow_remove_packages(role, names.factory)
        reason = "IAM has no resource for lists of an account"
        allow(role, "FindEndpoints", ["sagemaker:ListEndpoints"], ["*"], reason=reason)
        self.resource = _resource(
            self,
            function,
            {
                TeardownProperty.FACTORY_NAME: names.factory,
                TeardownProperty.RULE_NAMES: [rule.rule_name for rule in push_pipeline.rules]
                if push_pipeline
                else [],
                TeardownProperty.DELIVERY_PIPELINE_NAMES: [names.push] if push_pipeline else [],
                TeardownProperty.BUILD_PROJECT_NAMES: _project_names([push_pipeline.build])
                if push_pipeline
                else [],
                TeardownProperty.PACKAGE_GROUPS: names.factory,
                TeardownProperty.PRODUCTION_ENDPOINTS: dict(production_endpoints),
                TeardownProperty.RETIRED_MODELS: list(retired_models),
                TeardownProperty.RETIRED_DATA: dict(retired_data),
                TeardownProperty.BUCKET_NAMES: [bucket.bucket_name for bucket in buckets],
            },
        )
        self.resource.node.add_dependency(storage, function, *depends_on)


def _deleted_data(
    scope: Construct, role: iam.Role, context: ModelContext, storage: Storage, tracking: Tracking
) -> dict[str, object]:
    """Let the role delete the model's data, and return the properties that name them."""
    model, endpoint = context.model_name, context.names.endpoint(PRODUCTION)
    prefixes = {
        storage.data_bucket: [of_model(prefix, model) for prefix in (Prefix.RAW_DATA, Prefix.BATCH)],
        storage.artifact_bucket: [
            *(of_model(prefix, model) for prefix in (Prefix.CODE, Prefix.INPUTS, Prefix.RUNS)),
            *(serving_prefix(owner, model) for owner in (*ENDPOINT_STAGES, BATCH)),
            releases_prefix(model),
            *(f"{prefix}{endpoint}/" for prefix in (Prefix.CAPTURED, Prefix.MONITORING)),
        ],
    }
    _allow_list_versions(role, list(prefixes))
    for name, (bucket, keys) in zip(("Data", "Results"), prefixes.items(), strict=True):
        grant_delete(role, f"Delete{name}", bucket, *keys)
    tracking.grant_delete(role)
    stack = arn(scope, "cloudformation", f"stack/{context.names.factory}/*")
    reason = "CloudFormation adds an id to the stack's name"
    allow(role, "SeeWhy", ["cloudformation:DescribeStacks"], [stack], reason=reason)
    return {
        TeardownProperty.OBJECT_PREFIXES: [
            bucket.s3_url_for_object(key) for bucket, keys in prefixes.items() for key in keys
        ],
        TeardownProperty.MLFLOW_TRACKING_URI: tracking.tracking_uri,
        TeardownProperty.MLFLOW_MODEL: model,
    }


def _function(scope: Construct, context: Context, name: str, whose: str) -> tuple[lambda_.Function, iam.Role]:
    return own_function(
        scope,
        context,
        name=name,
        description=f"Removes {whose} endpoints, jobs and objects before CloudFormation deletes the rest",
        role_description=f"Removes what {whose} run-time code made",
        package="stacks.teardown.function",
        timeout=Duration.minutes(15),
    )


def _resource(
    scope: Construct, function: lambda_.Function, properties: Mapping[str, object]
) -> CustomResource:
    return CustomResource(scope, "Resource", service_token=function.function_arn, properties=properties)


def _project_names(builds: Sequence[Build]) -> list[str]:
    return [build.project.project_name for build in builds]


def _allow_disable(role: iam.Role, rules: Sequence[events.Rule]) -> None:
    if rules:
        allow(role, "DisableTriggers", ["events:DisableRule"], [rule.rule_arn for rule in rules])


def _allow_stop_pipeline(role: iam.Role, pipeline_arn: str) -> None:
    actions = ["codepipeline:ListPipelineExecutions", "codepipeline:StopPipelineExecution"]
    allow(role, "StopDelivery", actions, [pipeline_arn])
    actions = ["codepipeline:DisableStageTransition"]
    allow(role, "CloseDelivery", actions, [f"{pipeline_arn}/{Stage.BUILD}"])


def _allow_stop_builds(role: iam.Role, builds: Sequence[Build]) -> None:
    actions = ["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject", "codebuild:StopBuild"]
    allow(role, "StopBuilds", actions, [build.project.project_arn for build in builds])


def _allow_remove_packages(role: iam.Role, factory: str) -> None:
    """Let remove groups of SageMaker's own registry whose names begin with the factory's."""
    names = (factory, f"{factory}-*")
    groups = [arn(role, "sagemaker", f"model-package-group/{name}") for name in names]
    packages = [arn(role, "sagemaker", f"model-package/{name}/*") for name in names]
    own = of_factory(factory)
    actions = ["sagemaker:DeleteModelPackageGroup"]
    allow(role, "RemovePackageGroups", actions, groups, own, reason=_TEAM_GROUPS)
    # Versions in a group have no tags of their own.
    allow(role, "RemovePackages", ["sagemaker:DeleteModelPackage"], packages, reason=_TEAM_GROUPS)
    allow(role, "ReadTags", ["sagemaker:ListTags"], groups, reason=_TEAM_GROUPS)
    reason = "IAM has no resource for lists of an account"
    actions = ["sagemaker:ListModelPackageGroups", "sagemaker:ListModelPackages"]
    allow(role, "FindPackages", actions, ["*"], reason=reason)


def _allow_empty(role: iam.Role, buckets: Sequence[s3.Bucket]) -> None:
    _allow_list_versions(role, buckets)
    actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"]
    objects = [bucket.arn_for_objects("*") for bucket in buckets]
    allow(role, "EmptyBuckets", actions, objects, reason="A bucket can be deleted only when nothing is in it")


def _allow_list_versions(role: iam.Role, buckets: Sequence[s3.Bucket]) -> None:
    actions = ["s3:ListBucketMultipartUploads", "s3:ListBucketVersions"]
    allow(role, "ListVersions", actions, [bucket.bucket_arn for bucket in buckets])
