import json
from typing import cast

from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from ml_code.contracts import DeliveryVariable
from stacks.delivery_pipeline import DeliveryPipeline
from stacks.settings.delivery import Triggers as TriggerSettings
from stacks.source import Source


class Triggers(Construct):
    """The rules that start the delivery pipeline, on a push to CodeCommit and by schedule, and say why."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: TriggerSettings,
        source: Source,
        pipeline: DeliveryPipeline,
    ) -> None:
        super().__init__(scope, id)
        self._target = codepipeline.Pipeline.from_pipeline_arn(self, "Target", pipeline.arn)
        self.rules: list[events.Rule] = []
        if settings.push and source.push_events:
            self._add(events.Rule(self, "Push", event_pattern=source.push_events), "push")
        if settings.schedule:
            schedule = events.Schedule.expression(settings.schedule)
            self._add(events.Rule(self, "Schedule", schedule=schedule), f"schedule {settings.schedule}")

    def _add(self, rule: events.Rule, reason: str) -> None:
        rule.add_target(targets.CodePipeline(self._target))
        # CodePipeline reads variables from the target's input, which the construct has no argument for.
        variables = {"variables": [{"name": DeliveryVariable.TRIGGER_REASON, "value": reason}]}
        cast(events.CfnRule, rule.node.default_child).add_property_override(
            "Targets.0.Input", json.dumps(variables)
        )
        rule.node.add_dependency(self._target)  # whose role the target has
        self.rules.append(rule)
