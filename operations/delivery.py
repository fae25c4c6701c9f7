"""Follows an execution of the delivery pipeline, stage by stage."""

import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from ml_code.contracts import Stage
from ml_code.release.delivery_record import action_executions
from operations.errors import OperationError

if TYPE_CHECKING:
    from types_boto3_codepipeline.type_defs import ActionExecutionDetailTypeDef

POLL_SECONDS = 2.0  # three calls each time
FINISHED = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")


@dataclass(frozen=True)
class StageResult:
    name: str
    status: str
    seconds: float
    summary: str


def latest_execution_id(
    pipeline: str, *, started_after: AbstractSet[str] = frozenset(), timeout_seconds: float = 60
) -> str:
    """The newest execution that is not among `started_after`; waits for it to appear."""
    codepipeline = boto3.client("codepipeline")
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        summaries = codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
        for summary in summaries:
            if summary["pipelineExecutionId"] not in started_after:
                return str(summary["pipelineExecutionId"])
        time.sleep(0.5)
    raise OperationError(f"Pipeline {pipeline} started no execution within {timeout_seconds:.0f} s.")


def execution_ids(pipeline: str) -> set[str]:
    codepipeline = boto3.client("codepipeline")
    summaries = codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
    return {summary["pipelineExecutionId"] for summary in summaries}


def follow(
    pipeline: str,
    execution_id: str,
    *,
    approve_as: str | None = None,
    on_stage: Callable[[StageResult], None] = lambda _: None,
    timeout_seconds: float = 3600,
) -> str:
    """Wait for the execution's end and return its status; approve it on the way when a name is given."""
    codepipeline = boto3.client("codepipeline")
    reported: set[str] = set()
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        execution = codepipeline.get_pipeline_execution(
            pipelineName=pipeline, pipelineExecutionId=execution_id
        )
        status = str(execution["pipelineExecution"]["status"])
        for stage in stage_results(pipeline, execution_id):
            if stage.status in FINISHED and stage.name not in reported:
                reported.add(stage.name)
                on_stage(stage)
        if status in FINISHED:
            return status
        if approve_as:
            approve(pipeline, execution_id, summary=f"Approved by {approve_as}")
        time.sleep(POLL_SECONDS)
    raise OperationError(
        f"Execution {execution_id} of {pipeline} is still running after {timeout_seconds:.0f} s."
    )


def approve(pipeline: str, execution_id: str, *, summary: str) -> bool:
    """Approve the execution if it waits for approval now."""
    codepipeline = boto3.client("codepipeline")
    for stage in codepipeline.get_pipeline_state(name=pipeline)["stageStates"]:
        if stage.get("latestExecution", {}).get("pipelineExecutionId") != execution_id:
            continue
        for action in stage.get("actionStates", []):
            latest = action.get("latestExecution", {})
            if (
                stage["stageName"] == Stage.APPROVAL
                and latest.get("status") == "InProgress"
                and "token" in latest
            ):
                # Completed by an attempt whose answer was lost; or a person was quicker, and the status says how.
                with suppress(codepipeline.exceptions.ApprovalAlreadyCompletedException):
                    codepipeline.put_approval_result(
                        pipelineName=pipeline,
                        stageName=stage["stageName"],
                        actionName=action["actionName"],
                        token=latest["token"],
                        result={"summary": summary, "status": "Approved"},
                    )
                return True
    return False


def stage_results(pipeline: str, execution_id: str) -> list[StageResult]:
    """The stages that the execution has entered, in order, each with the combined status of its actions."""
    stages: dict[str, list[ActionExecutionDetailTypeDef]] = {}
    found = action_executions(boto3.client("codepipeline"), pipeline, execution_id)
    for action in sorted(found, key=lambda action: action["startTime"]):
        stages.setdefault(action["stageName"], []).append(action)
    return [_stage_result(name, actions) for name, actions in stages.items()]


def _stage_result(name: str, actions: list["ActionExecutionDetailTypeDef"]) -> StageResult:
    statuses = {str(action["status"]) for action in actions}
    worst = next(
        (status for status in ("Failed", "Abandoned", "InProgress") if status in statuses), "Succeeded"
    )
    end = max(action["lastUpdateTime"] for action in actions)
    seconds = (end - min(action["startTime"] for action in actions)).total_seconds()
    results = [action.get("output", {}).get("executionResult", {}) for action in actions]
    details = [
        result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary")
        for result in results
    ]
    return StageResult(name, worst, seconds, " ".join(str(detail) for detail in details if detail))
