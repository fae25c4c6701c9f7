from functools import partial
from typing import cast

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from ml_code.contracts import ENDPOINT_STAGES, METRIC_NAMESPACE, PRODUCTION, Alarm, Metric, Tag
from stacks.alarms import alarm, endpoint_metric, metric
from stacks.context import FactoryContext
from stacks.notifications import Notifications
from stacks.permissions import arn
from stacks.rollback_alarms import RollbackAlarms
from stacks.settings.infrastructure import Monitoring


class Observability(Construct):
    """Shows the factory on a dashboard, raises alarms, sends messages and, if set, watches a budget.

    It refers to what it watches by name, so that it exists before the first delivery starts.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: FactoryContext,
        monitoring: Monitoring,
        has_drift: bool,
        rollback_alarms: RollbackAlarms,
    ) -> None:
        super().__init__(scope, id)
        names, key = context.names, context.key
        self._names = names
        # Without a message: the events of a failed action or step carry the reason, these metrics do not.
        executions = [
            alarm(self, names, what, failures, description, above=0)
            for what, failures, description in (
                (
                    Alarm.DELIVERY_FAILED,
                    self._delivery("FailedPipelineExecutions"),
                    "A delivery failed",
                ),
                (
                    Alarm.TRAINING_FAILED,
                    self._training("ExecutionFailed"),
                    "A training execution failed",
                ),
            )
        ]
        notified_alarms = [
            *rollback_alarms.alarm_names,
            *([names.alarm(Alarm.DRIFT)] if has_drift else []),
        ]
        self._dashboard([*executions, *rollback_alarms.alarms.values()], shows_drift=has_drift)
        self.notifications = Notifications(
            self,
            "Notifications",
            names=names,
            email=monitoring.notification_email,
            key=key,
            alarm_names=notified_alarms,
        )
        if monitoring.monthly_budget_usd:
            self._budget(monitoring.monthly_budget_usd, self.notifications.topic, key)

    def _dashboard(self, own: list[cloudwatch.Alarm], *, shows_drift: bool) -> None:
        alarms: list[cloudwatch.IAlarm] = [*own]
        if shows_drift:
            alarm_arn = arn(self, "cloudwatch", f"alarm:{self._names.alarm(Alarm.DRIFT)}")
            alarms.append(cloudwatch.Alarm.from_alarm_arn(self, "DriftAlarm", alarm_arn))
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self._names.dashboard)
        dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", width=24, height=3, alarms=alarms))
        dashboard.add_widgets(
            _graph("Delivery: failed", self._delivery("FailedPipelineExecutions")),
            _graph("Delivery: seconds", self._delivery("PipelineDuration", statistic="Average")),
            _graph(
                "Training executions",
                *(self._training(f"Execution{end}") for end in ("Started", "Succeeded", "Failed", "Stopped")),
            ),
            _graph("Training: milliseconds", self._training("ExecutionDuration", statistic="Average")),
        )
        for stage in ENDPOINT_STAGES:
            endpoint = self._names.endpoint(stage)
            errors = [endpoint_metric(endpoint, f"Invocation{code}Errors") for code in ("4XX", "5XX")]
            latencies = [
                endpoint_metric(endpoint, "ModelLatency", statistic=percentile)
                for percentile in ("p50", "p90")
            ]
            dashboard.add_widgets(
                _graph(f"{stage}: invocations", endpoint_metric(endpoint, "Invocations"), width=8),
                _graph(f"{stage}: errors", *errors, width=8),
                _graph(f"{stage}: latency in microseconds", *latencies, width=8),
            )
        if shows_drift:
            drift = partial(metric, METRIC_NAMESPACE, EndpointName=self._names.endpoint(PRODUCTION))
            dashboard.add_widgets(
                _graph("Drifted features", drift(Metric.DRIFTED_FEATURES, "Maximum"), width=8),
                _graph("Largest drift of a feature", drift(Metric.LARGEST_DRIFT, "Maximum"), width=8),
                _graph(
                    "Compared rows, unreadable captures",
                    drift(Metric.LIVE_ROWS, "Sum"),
                    drift(Metric.UNREADABLE_CAPTURES, "Sum"),
                    width=8,
                ),
            )

    def _delivery(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        return metric("AWS/CodePipeline", name, statistic, PipelineName=self._names.factory)

    def _training(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        return metric(
            "AWS/Sagemaker/ModelBuildingPipeline", name, statistic, PipelineName=self._names.factory
        )

    def _budget(self, limit_usd: int, topic: sns.Topic, key: kms.Key | None) -> None:
        """Count what has the factory's tag, once that is activated as a cost allocation tag."""
        service = iam.ServicePrincipal("budgets.amazonaws.com")
        own = {"StringEquals": {"aws:SourceAccount": self._names.account}}
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="TellOfCosts",
                actions=["sns:Publish"],
                principals=[service],
                resources=[topic.topic_arn],
                conditions=own,
            )
        )
        if key:
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    sid="EncryptMessagesOfCosts",
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    principals=[service],
                    resources=["*"],  # in a key's policy: this key
                    conditions=own,
                )
            )
        subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=topic.topic_arn)
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=self._names.budget,
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=limit_usd, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:{Tag.FACTORY}${self._names.factory}"]},
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for kind, percent in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
        )


def _graph(title: str, *metrics: cloudwatch.Metric, width: int = 6) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title, width=width, height=6, left=cast(list[cloudwatch.IMetric], list(metrics))
    )
