"""Who let a version into production, and why it goes there."""

from typing import Any

import boto3

from ml_code.release.settings import ReleaseSettings
from ml_code.tracking.production_history import Promotion


def read_approval(settings: ReleaseSettings, archive: str) -> Promotion:
    """Of the delivery that releases; of the person who does, when none does."""
    execution = settings.delivery_execution
    if not execution:
        return Promotion(reason="by hand", approved_by=caller(), delivery="", archive=archive)
    client = boto3.client("codepipeline")
    by = approver(client, settings.factory_name, execution)
    return Promotion(reason="delivery", approved_by=by, delivery=execution, archive=archive)


def approver(codepipeline: Any, pipeline: str, execution: str) -> str:
    """Whoever approved the execution last; empty when nobody had to."""
    pages = codepipeline.get_paginator("list_action_executions").paginate(
        pipelineName=pipeline, filter={"pipelineExecutionId": execution}
    )
    approvals = [
        action
        for page in pages
        for action in page["actionExecutionDetails"]
        if action["input"]["actionTypeId"]["category"] == "Approval" and action["status"] == "Succeeded"
    ]
    newest: dict[str, Any] = max(approvals, key=lambda action: action["lastUpdateTime"], default={})
    return str(newest.get("updatedBy", ""))


def caller() -> str:
    return str(boto3.client("sts").get_caller_identity()["Arn"])
