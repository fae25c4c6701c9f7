from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from ml_code.contracts import ENDPOINT_STAGES, METRIC_NAMESPACE, PRODUCTION, Alarm, Metric, Tag
from stacks.alarms import endpoint_metric, metric
from stacks.context import FactoryContext
from stacks.execution_alarms import ExecutionAlarms, delivery_metric, training_metric
from stacks.names import FactoryNames, ModelNames
from stacks.notifications import Notifications, WatchedNames
from stacks.permissions import arn
from stacks.production_alarms import ProductionAlarms
from stacks.settings.infrastructure import Monitoring


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One model's alarms and names."""

    names: ModelNames
    executions: ExecutionAlarms
    production: ProductionAlarms
    has_drift: bool

    @property
    def notified_alarms(self) -> list[str]:
        return [
            *self.production.alarm_names,
            *([self.names.alarm(Alarm.DRIFT)] if self.has_drift else []),
        ]

    def id(self, what: str) -> str:
        """The id of a construct; that of a model named after the factory is as it was with one model."""
        return what if self.names.prefix == self.names.factory else f"{what}-{self.names.model}"


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
        models: Sequence[Watched],
    ) -> None:
        super().__init__(scope, id)
        names, key = context.names, context.key
        self._names = names
        self._dashboard(models)
        self.notifications = Notifications(
            self,
            "Notifications",
            topic_name=names.topic,
            sender=f"Model factory {names.factory}",
            emails=[monitoring.notification_email] if monitoring.notification_email else [],
            key=key,
            watched=_watched_names(names, models),
        )
        if monitoring.monthly_budget_usd:
            self._budget(monitoring.monthly_budget_usd, self.notifications.topic, key)

    def _dashboard(self, models: Sequence[Watched]) -> None:
        alarms = [alarm for model in models for alarm in self._alarms(model)]
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self._names.dashboard)
        dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", width=24, height=3, alarms=alarms))
        for model in models:
            for row in _rows(model, title=f"{model.names.model}: " if len(models) > 1 else ""):
                dashboard.add_widgets(*row)

    def _alarms(self, model: Watched) -> list[cloudwatch.IAlarm]:
        alarms: list[cloudwatch.IAlarm] = [*model.executions.alarms, *model.production.alarms.values()]
        if model.has_drift:
            alarm_arn = arn(self, "cloudwatch", f"alarm:{model.names.alarm(Alarm.DRIFT)}")
            alarms.append(cloudwatch.Alarm.from_alarm_arn(self, model.id("DriftAlarm"), alarm_arn))
        return alarms

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


def _watched_names(names: FactoryNames, models: Sequence[Watched]) -> WatchedNames:
    pipelines = [model.names.pipeline for model in models]
    # By their beginnings: with all names of several models the pattern would be longer than EventBridge takes.
    beginnings = {names.push, *(f"{pipeline}-" for pipeline in pipelines)}
    return WatchedNames(
        region=names.region,
        dashboard=names.dashboard,
        build_projects=[{"prefix": beginning} for beginning in sorted(beginnings)],
        training_pipelines=pipelines,
        delivery_pipelines=[*pipelines, names.push],
        alarms=[name for model in models for name in model.notified_alarms],
    )


def _rows(model: Watched, *, title: str) -> Iterator[list[cloudwatch.GraphWidget]]:
    names = model.names
    ends = ("Started", "Succeeded", "Failed", "Stopped")
    yield [
        _graph(f"{title}Delivery: failed", delivery_metric(names, "FailedPipelineExecutions")),
        _graph(f"{title}Delivery: seconds", delivery_metric(names, "PipelineDuration", "Average")),
        _graph(f"{title}Training executions", *(training_metric(names, f"Execution{end}") for end in ends)),
        _graph(f"{title}Training: milliseconds", training_metric(names, "ExecutionDuration", "Average")),
    ]
    for stage in ENDPOINT_STAGES:
        endpoint = names.endpoint(stage)
        errors = [endpoint_metric(endpoint, f"Invocation{code}Errors") for code in ("4XX", "5XX")]
        latencies = [
            endpoint_metric(endpoint, "ModelLatency", statistic=percentile) for percentile in ("p50", "p90")
        ]
        yield [
            _graph(f"{title}{stage}: invocations", endpoint_metric(endpoint, "Invocations"), width=8),
            _graph(f"{title}{stage}: errors", *errors, width=8),
            _graph(f"{title}{stage}: latency in microseconds", *latencies, width=8),
        ]
    if model.has_drift:
        drift = partial(metric, METRIC_NAMESPACE, EndpointName=names.endpoint(PRODUCTION))
        rows, unreadable = drift(Metric.LIVE_ROWS, "Sum"), drift(Metric.UNREADABLE_CAPTURES, "Sum")
        yield [
            _graph(f"{title}Drifted features", drift(Metric.DRIFTED_FEATURES, "Maximum"), width=8),
            _graph(f"{title}Largest drift of a feature", drift(Metric.LARGEST_DRIFT, "Maximum"), width=8),
            _graph(f"{title}Compared rows, unreadable captures", rows, unreadable, width=8),
        ]


def _graph(title: str, *metrics: cloudwatch.Metric, width: int = 6) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title, width=width, height=6, left=cast(list[cloudwatch.IMetric], list(metrics))
    )
