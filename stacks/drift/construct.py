from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from constructs import Construct

from ml_code.contracts import METRIC_NAMESPACE, PRODUCTION, VARIANT_NAME, Alarm, Metric, Prefix, Variable
from stacks.context import ModelContext
from stacks.delivery_pipeline import DeliveryPipeline
from stacks.drift.pipeline import DriftPipeline
from stacks.function import own_function
from stacks.permissions import allow, arn, grant_list, grant_read
from stacks.settings.endpoints import Drift as DriftSettings
from stacks.storage import Storage
from stacks.tracking import Tracking
from stacks.training import Training

EVALUATED_WINDOWS, WINDOWS_TO_ALARM = 5, 2
# Why a policy has a pattern.
_DEPLOYMENTS = "One a deployment, named after its endpoint"


class Drift(Construct):
    """Compares the production endpoint's live inputs with its training data, and retrains when they differ.

    One function by schedule and by the alarm's event. It starts nothing while nothing is captured.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: ModelContext,
        settings: DriftSettings,
        storage: Storage,
        tracking: Tracking,
        training: Training,
        delivery_pipeline: DeliveryPipeline,
    ) -> None:
        super().__init__(scope, id)
        names = context.names
        self._names = names
        self._storage = storage
        endpoint = names.endpoint(PRODUCTION)
        captured, reports = f"{Prefix.CAPTURED}{endpoint}/{VARIANT_NAME}/", f"{Prefix.MONITORING}{endpoint}/"
        self.pipeline = DriftPipeline(
            self,
            "Pipeline",
            context=context,
            settings=settings,
            storage=storage,
            tracking=tracking,
            training=training,
            captured_prefix=captured,
            reports_prefix=reports,
        )
        window = Duration.minutes(settings.window_minutes)
        alarm = self._alarm(endpoint, window)
        function, role = own_function(
            self,
            context,
            name=names.monitor,
            description="Compares live inputs with the training data; retrains when they have drifted",
            role_description="Starts comparisons and, by drift, a delivery",
            package="stacks.drift.function",
            timeout=Duration.minutes(1),
            environment={
                Variable.ENDPOINT_NAME: endpoint,
                Variable.ARTIFACT_BUCKET: storage.artifact_bucket.bucket_name,
                Variable.CAPTURED_PREFIX: captured,
                Variable.REPORTS_PREFIX: reports,
                Variable.WINDOW_MINUTES: str(settings.window_minutes),
                Variable.EVALUATED_WINDOWS: str(EVALUATED_WINDOWS),
                Variable.MONITOR_PIPELINE_NAME: self.pipeline.pipeline_name,
                Variable.DELIVERY_PIPELINE_NAME: delivery_pipeline.name,
            },
        )
        self._allow(role, delivery_pipeline)
        self.rules = self._rules(window)
        for rule in self.rules:
            rule.add_target(targets.LambdaFunction(function))
            rule.node.add_dependency(alarm)

    def _rules(self, window: Duration) -> list[events.Rule]:
        # The name instead of the construct: the rule then needs no alarm to be made first.
        alarms = {"alarmName": [self._names.alarm(Alarm.DRIFT)], "state": {"value": ["ALARM"]}}
        went_off = events.EventPattern(
            source=["aws.cloudwatch"], detail_type=["CloudWatch Alarm State Change"], detail=alarms
        )
        return [
            events.Rule(self, "Windows", schedule=events.Schedule.rate(window)),
            events.Rule(self, "Alarmed", event_pattern=went_off),
        ]

    def _alarm(self, endpoint: str, window: Duration) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            "Alarm",
            alarm_name=self._names.alarm(Alarm.DRIFT),
            alarm_description="What the production endpoint is asked differs from the training data",
            metric=cloudwatch.Metric(
                namespace=METRIC_NAMESPACE,
                metric_name=Metric.DRIFTED_FEATURES,
                dimensions_map={"EndpointName": endpoint},
                statistic="Maximum",
                period=window,
            ),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=EVALUATED_WINDOWS,
            datapoints_to_alarm=WINDOWS_TO_ALARM,
            # A window with too few rows publishes nothing.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _allow(self, role: iam.Role, delivery_pipeline: DeliveryPipeline) -> None:
        endpoint = self._names.endpoint(PRODUCTION)
        allow(
            role,
            "ReadServed",
            ["sagemaker:DescribeEndpoint"],
            [arn(self, "sagemaker", f"endpoint/{endpoint}")],
        )
        configs = [arn(self, "sagemaker", f"endpoint-config/{endpoint}-*")]
        allow(role, "ReadLineage", ["sagemaker:ListTags"], configs, reason=_DEPLOYMENTS)
        grant_list(role, "FindCaptures", self._storage.artifact_bucket)
        grant_read(role, "ReadReports", self._storage.artifact_bucket, f"{Prefix.MONITORING}{endpoint}/")
        self.pipeline.grant_start(role)
        verbs = ("GetPipelineExecution", "ListPipelineExecutions", "StartPipelineExecution")
        allow(role, "Retrain", [f"codepipeline:{verb}" for verb in verbs], [delivery_pipeline.arn])
