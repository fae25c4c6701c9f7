from aws_cdk import CustomResource, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ml_code.contracts import ENDPOINT_STAGES, Stage, TeardownProperty
from stacks.context import FactoryContext
from stacks.delivery import Delivery
from stacks.drift.construct import Drift
from stacks.drift.pipeline import DriftPipeline
from stacks.function import own_function
from stacks.permissions import allow
from stacks.serving import Serving
from stacks.storage import Storage
from stacks.tracking import Tracking
from stacks.training import Training
from stacks.transform_jobs import TransformJobs


class Teardown(Construct):
    """Removes on destroy what run-time code made, before CloudFormation deletes the resources that it uses.

    CDK's own `auto_delete_objects` and custom resource provider are left out: they would bring Node functions,
    with log groups that stay after a destroy.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: FactoryContext,
        storage: Storage,
        tracking: Tracking,
        training: Training,
        serving: Serving,
        transform_jobs: TransformJobs,
        delivery: Delivery,
        drift: Drift | None,
    ) -> None:
        super().__init__(scope, id)
        config, names = context.config, context.names
        function, role = own_function(
            self,
            context,
            name=names.teardown_function,
            description="Runs first on cdk destroy",
            role_description="Removes what the factory's run-time code made",
            package="stacks.teardown.function",
            timeout=Duration.minutes(15),
        )
        buckets = [] if config.keeps_data_on_destroy else [*storage.buckets.values()]
        rules = [*delivery.rules, *(drift.rules if drift else [])]
        pipelines: list[Training | DriftPipeline] = [training, *([drift.pipeline] if drift else [])]
        _allow_disable(role, rules)
        _allow_stop_delivery(role, delivery)
        for pipeline in pipelines:
            pipeline.grant_stop(role)
        serving.grant_remove(role)
        transform_jobs.grant_remove(role)
        if buckets:
            _allow_empty(role, buckets)
        schedules = [delivery.new_data.schedule_name] if delivery.new_data else []
        resource = CustomResource(
            self,
            "Resource",
            service_token=function.function_arn,
            properties={
                TeardownProperty.FACTORY_NAME: names.factory,
                TeardownProperty.RULE_NAMES: [rule.rule_name for rule in rules],
                TeardownProperty.SCHEDULE_NAMES: schedules,
                TeardownProperty.DELIVERY_PIPELINE_NAME: delivery.pipeline.name,
                TeardownProperty.BUILD_PROJECT_NAMES: [
                    build.project.project_name for build in delivery.builds
                ],
                TeardownProperty.SAGEMAKER_PIPELINE_NAMES: [each.pipeline_name for each in pipelines],
                TeardownProperty.ENDPOINT_NAMES: [names.endpoint(stage) for stage in ENDPOINT_STAGES],
                TeardownProperty.BATCH_PREFIX: transform_jobs.prefix,
                TeardownProperty.BUCKET_NAMES: [bucket.bucket_name for bucket in buckets],
            },
        )
        # What depends is deleted first: all that the function needs or cleans still exists when it runs.
        made = [made for made in (drift, context.network) if made]
        resource.node.add_dependency(
            storage, tracking, training, serving, transform_jobs, delivery, function, *made
        )


def _allow_disable(role: iam.Role, rules: list[events.Rule]) -> None:
    if rules:
        allow(role, "DisableTriggers", ["events:DisableRule"], [rule.rule_arn for rule in rules])


def _allow_stop_delivery(role: iam.Role, delivery: Delivery) -> None:
    pipeline = delivery.pipeline
    if delivery.new_data:
        allow(role, "DeleteSchedule", ["scheduler:DeleteSchedule"], [delivery.new_data.schedule_arn])
    actions = ["codepipeline:ListPipelineExecutions", "codepipeline:StopPipelineExecution"]
    allow(role, "StopDelivery", actions, [pipeline.arn])
    actions = ["codepipeline:DisableStageTransition"]
    allow(role, "CloseDelivery", actions, [f"{pipeline.arn}/{Stage.BUILD}"])
    actions = ["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject", "codebuild:StopBuild"]
    allow(role, "StopBuilds", actions, [build.project.project_arn for build in delivery.builds])


def _allow_empty(role: iam.Role, buckets: list[s3.Bucket]) -> None:
    actions = ["s3:ListBucketMultipartUploads", "s3:ListBucketVersions"]
    allow(role, "ListVersions", actions, [bucket.bucket_arn for bucket in buckets])
    actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"]
    objects = [bucket.arn_for_objects("*") for bucket in buckets]
    allow(role, "EmptyBuckets", actions, objects, reason="A bucket can be deleted only when nothing is in it")
