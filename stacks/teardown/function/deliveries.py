"""Triggers of deliveries, and deliveries that run."""

from typing import Any

import boto3

from ml_code.contracts import Stage, TeardownProperty
from stacks.teardown.function.calls import pages, unless_missing, unless_settled
from stacks.teardown.function.deadline import Deadline

_REASON = "The factory is being destroyed"


def stop_triggers(names: dict[str, Any]) -> None:
    events, scheduler = boto3.client("events"), boto3.client("scheduler")
    for rule in names.get(TeardownProperty.RULE_NAMES, []):
        unless_missing(events.disable_rule, Name=rule)
    for schedule in names.get(TeardownProperty.SCHEDULE_NAMES, []):
        # Not disabled: a function that still runs would enable it again.
        unless_missing(scheduler.delete_schedule, Name=schedule)


def stop_deliveries(names: dict[str, Any]) -> None:
    """Stop deliveries. Nothing disables a git trigger: its deliveries end at the closed transition to the first build."""
    for name in names.get(TeardownProperty.DELIVERY_PIPELINE_NAMES, []):
        _stop_deliveries_of(name)


def _stop_deliveries_of(name: str) -> None:
    codepipeline = boto3.client("codepipeline")
    unless_missing(
        codepipeline.disable_stage_transition,
        pipelineName=name,
        stageName=Stage.BUILD,
        transitionType="Inbound",
        reason=_REASON,
    )
    for execution in pages(
        codepipeline, "list_pipeline_executions", "pipelineExecutionSummaries", pipelineName=name
    ):
        if execution["status"] == "InProgress":
            print("stopping delivery", execution["pipelineExecutionId"])
            unless_settled(
                codepipeline.stop_pipeline_execution,
                pipelineName=name,
                pipelineExecutionId=execution["pipelineExecutionId"],
                abandon=True,
                reason=_REASON,
            )


def stop_builds(names: dict[str, Any], deadline: Deadline) -> None:
    for project in names.get(TeardownProperty.BUILD_PROJECT_NAMES, []):
        _stop_builds_of(project, deadline)


def _stop_builds_of(project: str, deadline: Deadline) -> None:
    codebuild = boto3.client("codebuild")
    for build in _running_builds(codebuild, project):
        print("stopping build", build)
        codebuild.stop_build(id=build)
    deadline.wait(lambda: not _running_builds(codebuild, project), f"builds of {project} to stop")


def _running_builds(codebuild: Any, project: str) -> list[str]:
    ids = pages(codebuild, "list_builds_for_project", "ids", projectName=project)[:100]
    builds = codebuild.batch_get_builds(ids=ids)["builds"] if ids else []
    return [build["id"] for build in builds if build["buildStatus"] == "IN_PROGRESS"]
