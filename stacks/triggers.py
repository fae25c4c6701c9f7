import json
from typing import cast

from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from ml_code.contracts import DeliveryVariable


class Triggers(Construct):
    """The rules that start a pipeline, on a push to CodeCommit and by schedule, and say why."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        pipeline_arn: str,
        push_events: events.EventPattern | None,
        schedule: str = "",
    ) -> None:
        super().__init__(scope, id)
        self._target = codepipeline.Pipeline.from_pipeline_arn(self, "Target", pipeline_arn)
        self.rules: list[events.Rule] = []
        if push_events:
            self._add(events.Rule(self, "Push", event_pattern=push_events), "push")
        if schedule:
            rule = events.Rule(self, "Schedule", schedule=events.Schedule.expression(schedule))
            self._add(rule, f"schedule {schedule}")

    def _add(self, rule: events.Rule, reason: str) -> None:
        rule.add_target(targets.CodePipeline(self._target))
        # CodePipeline reads variables from the target's input, which the construct has no argument for.
        variables = {"variables": [{"name": DeliveryVariable.TRIGGER_REASON, "value": reason}]}
        cast(events.CfnRule, rule.node.default_child).add_property_override(
            "Targets.0.Input", json.dumps(variables)
        )
        rule.node.add_dependency(self._target)  # whose role the target has
        self.rules.append(rule)
