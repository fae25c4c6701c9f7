from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from ml_code.contracts import console_url
from stacks.permissions import arn

_field = events.EventField.from_path


@dataclass(frozen=True, kw_only=True)
class WatchedNames:
    """Names of the resources that a topic has messages about; of projects an event pattern's exact names or prefixes."""

    region: str
    dashboard: str
    build_projects: Sequence[str | Mapping[str, str]]
    training_pipelines: Sequence[str]
    delivery_pipelines: Sequence[str]
    alarms: Sequence[str]


class Notifications(Construct):
    """Publishes failures, with reason and link, and waiting approvals on a topic.

    Each failure has a rule for the event that carries its reason: of a build's phase, of a training step, of an
    action that is no build. The events of whole executions carry none.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        topic_name: str,
        sender: str,
        emails: Sequence[str],
        key: kms.Key | None,
        watched: WatchedNames,
    ) -> None:
        super().__init__(scope, id)
        self._region = watched.region
        self._console = console_url(watched.region)
        self.topic = sns.Topic(
            self,
            "Topic",
            topic_name=topic_name,
            display_name=sender[:100],
            enforce_ssl=True,
            master_key=key,
        )
        for email in emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        self._add_build_rule(watched.build_projects)
        self._add_training_rule(watched.training_pipelines)
        self._add_delivery_rules(watched.delivery_pipelines)
        self._add_alarm_rule(watched.alarms, watched.dashboard)

    def _add_build_rule(self, projects: Sequence[str | Mapping[str, str]]) -> None:
        self._rule(
            "BuildFailed",
            source="aws.codebuild",
            detail_type="CodeBuild Build Phase Change",
            detail={
                "project-name": list(projects),
                "completed-phase-status": ["FAILED", "FAULT", "TIMED_OUT", "CLIENT_ERROR"],
            },
            lines=[
                f"Build {_field('$.detail.project-name')} failed in phase {_field('$.detail.completed-phase')}.",
                f"Why: {_field('$.detail.completed-phase-context')}",
                f"Log: {_field('$.detail.additional-information.logs.deep-link')}",
            ],
        )

    def _add_training_rule(self, pipelines: Sequence[str]) -> None:
        pipeline_arns = [arn(self, "sagemaker", f"pipeline/{name}") for name in pipelines]
        self._rule(
            "TrainingFailed",
            source="aws.sagemaker",
            detail_type="SageMaker Model Building Pipeline Execution Step Status Change",
            detail={"pipelineArn": pipeline_arns, "currentStepStatus": ["Failed"]},
            lines=[
                f"A training failed in step {_field('$.detail.stepName')}.",
                f"Why: {_field('$.detail.failureReason')}",
                f"Execution: {_field('$.detail.pipelineExecutionArn')}",
                f"Jobs: {self._console}/sagemaker/home?region={self._region}#/processing-jobs",
            ],
        )

    def _add_delivery_rules(self, pipelines: Sequence[str]) -> None:
        name = _field("$.detail.pipeline")
        link = f"{self._console}/codesuite/codepipeline/pipelines/{name}/view?region={self._region}"
        self._rule(
            "ActionFailed",
            source="aws.codepipeline",
            detail_type="CodePipeline Action Execution State Change",
            detail={
                "pipeline": list(pipelines),
                "state": ["FAILED"],
                "type": {"category": [{"anything-but": ["Build"]}]},
            },
            lines=[
                (
                    f"Delivery {name} failed in stage {_field('$.detail.stage')}, "
                    f"action {_field('$.detail.action')}."
                ),
                f"Why: {_field('$.detail.execution-result.external-execution-summary')}",
                f"Delivery: {link}",
            ],
        )
        self._rule(
            "ApprovalNeeded",
            source="aws.codepipeline",
            detail_type="CodePipeline Action Execution State Change",
            detail={"pipeline": list(pipelines), "state": ["STARTED"], "type": {"category": ["Approval"]}},
            lines=[
                f"Delivery {name} waits for approval: staging serves the new model, verified.",
                f"Execution: {_field('$.detail.execution-id')}",
                f"Approve or reject: {link}",
            ],
        )

    def _add_alarm_rule(self, alarm_names: Sequence[str], dashboard: str) -> None:
        self._rule(
            "Alarm",
            source="aws.cloudwatch",
            detail_type="CloudWatch Alarm State Change",
            detail={"alarmName": list(alarm_names), "state": {"value": ["ALARM"]}},
            lines=[
                f"Alarm {_field('$.detail.alarmName')}: {_field('$.detail.configuration.description')}.",
                f"Why: {_field('$.detail.state.reason')}",
                (
                    f"Dashboard: {self._console}/cloudwatch/home?region={self._region}"
                    f"#dashboards/dashboard/{dashboard}"
                ),
            ],
        )

    def _rule(
        self, id: str, *, source: str, detail_type: str, detail: Mapping[str, Any], lines: Sequence[str]
    ) -> None:
        events.Rule(
            self,
            id,
            event_pattern=events.EventPattern(source=[source], detail_type=[detail_type], detail=detail),
            targets=[
                targets.SnsTopic(
                    self.topic, message=events.RuleTargetInput.from_multiline_text("\n".join(lines))
                )
            ],
        )
