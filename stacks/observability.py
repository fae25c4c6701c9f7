from typing import cast

from aws_cdk import Duration
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.config import ENDPOINT_STAGES, FactoryConfig, FactoryNames
from stacks.notifications import Notifications

# What deployments call the one variant of an endpoint.
VARIANT = "AllTraffic"
LATENCY_ALARM_SECONDS = 5


class Observability(Construct):
    """A dashboard, alarms, messages to people and, if set, a budget.

    It knows what it watches by name only, so that it stands before the first delivery starts.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: FactoryConfig,
        names: FactoryNames,
        key: kms.Key | None,
    ) -> None:
        super().__init__(scope, id)
        self._names = names
        # Failures of the delivery and the training are told by their own events, which know the reason.
        executions = [
            self._alarm("delivery-failed", self._delivery("FailedPipelineExecutions"), "A delivery failed"),
            self._alarm("training-failed", self._training("ExecutionFailed"), "A training execution failed"),
        ]
        endpoint = [
            self._alarm(
                "production-errors",
                self._endpoint("production", "Invocation5XXErrors"),
                "The production endpoint answers with errors",
            ),
            self._alarm(
                "production-latency",
                self._endpoint("production", "ModelLatency", statistic="p90"),
                f"The production endpoint answers slowly, one in ten after {LATENCY_ALARM_SECONDS} seconds",
                threshold=LATENCY_ALARM_SECONDS * 1_000_000,  # microseconds
                minutes=3,
            ),
        ]
        self._dashboard([*executions, *endpoint])
        self.notifications = Notifications(
            self,
            "Notifications",
            names=names,
            email=config.notification_email,
            key=key,
            alarm_names=[names.alarm("production-errors"), names.alarm("production-latency")],
        )
        if config.monthly_budget_usd:
            self._budget(config.monthly_budget_usd, self.notifications.topic, key)

    def _alarm(
        self,
        what: str,
        metric: cloudwatch.Metric,
        description: str,
        *,
        threshold: float = 1,
        minutes: int = 1,
    ) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            f"Alarm-{what}",
            alarm_name=self._names.alarm(what),
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=minutes,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # No traffic is no error.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _dashboard(self, alarms: list[cloudwatch.Alarm]) -> None:
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self._names.dashboard)
        dashboard.add_widgets(
            cloudwatch.AlarmStatusWidget(
                title="Alarms", width=24, height=3, alarms=cast(list[cloudwatch.IAlarm], alarms)
            )
        )
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
            errors = [self._endpoint(stage, f"Invocation{code}Errors") for code in ("4XX", "5XX")]
            latencies = [
                self._endpoint(stage, "ModelLatency", statistic=percentile) for percentile in ("p50", "p90")
            ]
            dashboard.add_widgets(
                _graph(f"{stage}: invocations", self._endpoint(stage, "Invocations"), width=8),
                _graph(f"{stage}: errors", *errors, width=8),
                _graph(f"{stage}: latency in microseconds", *latencies, width=8),
            )

    def _delivery(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        return _metric("AWS/CodePipeline", name, statistic, PipelineName=self._names.factory)

    def _training(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        return _metric(
            "AWS/Sagemaker/ModelBuildingPipeline", name, statistic, PipelineName=self._names.factory
        )

    def _endpoint(self, stage: str, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        endpoint = self._names.endpoint(stage)
        return _metric("AWS/SageMaker", name, statistic, EndpointName=endpoint, VariantName=VARIANT)

    def _budget(self, limit_usd: int, topic: sns.Topic, key: kms.Key | None) -> None:
        """Counts what bears the factory's tag, once that is activated as a cost allocation tag."""
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
                cost_filters={"TagKeyValue": [f"user:{FactoryNames.tag_key}${self._names.factory}"]},
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


def _metric(namespace: str, name: str, statistic: str, **dimensions: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        statistic=statistic,
        dimensions_map=dimensions,
        period=Duration.minutes(1),
    )


def _graph(title: str, *metrics: cloudwatch.Metric, width: int = 6) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title, width=width, height=6, left=cast(list[cloudwatch.IMetric], list(metrics))
    )
