"""The reasons of a failed delivery: CodePipeline's summary of each failed action, and the end of its build's log."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3

from ml_code.release.delivery_record import action_executions

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

LOG_LINES = 30
# CodeBuild's own lines, on phases and uploads: what a command wrote is between them.
_CODEBUILD = "[Container] "


def failure_lines(pipeline: str, execution_id: str) -> Iterator[str]:
    """A line for each failed action and the end of its build's log; none for an execution without a failed action."""
    for action in action_executions(boto3.client("codepipeline"), pipeline, execution_id):
        if action["status"] != "Failed":
            continue
        result = action.get("output", {}).get("executionResult", {})
        message = result.get("errorDetails", {}).get("message") or "CodePipeline gives no reason"
        yield f"{action['stageName']}/{action['actionName']} failed: {message}"
        kind = action.get("input", {}).get("actionTypeId", {})
        if kind.get("provider") == "CodeBuild" and "externalExecutionId" in result:
            yield from _build_log(result["externalExecutionId"])


def _build_log(build_id: str) -> Iterator[str]:
    logs = boto3.client("logs")
    for build in boto3.client("codebuild").batch_get_builds(ids=[build_id])["builds"]:
        where = build.get("logs", {})
        group, stream = where.get("groupName"), where.get("streamName")
        if not group or not stream:
            yield f"Build {build_id} has no log."
            continue
        try:
            lines = _last_lines(logs, group, stream)
        except logs.exceptions.ResourceNotFoundException:
            yield f"The log of build {build_id}, {stream} in {group}, does not exist."
            continue
        yield f"The end of {group} {stream}:" if lines else f"{group} {stream} is empty."
        yield from (f"  {line}" for line in lines)


def _last_lines(logs: "CloudWatchLogsClient", group: str, stream: str) -> list[str]:
    answer = logs.get_log_events(
        logGroupName=group, logStreamName=stream, limit=10 * LOG_LINES, startFromHead=False
    )
    lines = [event["message"].rstrip() for event in answer["events"]]
    return [line for line in lines if line and not line.startswith(_CODEBUILD)][-LOG_LINES:]
