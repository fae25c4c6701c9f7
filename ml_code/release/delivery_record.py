"""What CodePipeline's record of a delivery says: which version its Build registered, and who approved it."""

import re
from typing import Any

import boto3

from ml_code.contracts import VERSION_NUMBER, Stage, Variable
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


def registered_version(codepipeline: Any, pipeline: str, execution: str) -> str:
    """The number of the version that the delivery's Build exported.

    Asked of CodePipeline, because a quote in an exported variable would add variables to this build.
    """
    actions = _actions(codepipeline, pipeline, execution)
    builds = [action for action in actions if action["stageName"] == Stage.BUILD]
    newest: dict[str, Any] = max(builds, key=lambda action: action["lastUpdateTime"], default={})
    exported = newest.get("output", {}).get("outputVariables", {})
    version = str(exported.get(Variable.MODEL_VERSION, ""))
    if not re.fullmatch(VERSION_NUMBER, version):
        raise ValueError(
            f"{Variable.MODEL_VERSION} of delivery {execution} is {version!r}, allowed is the number "
            "of a registered version"
        )
    return version


def approver(codepipeline: Any, pipeline: str, execution: str) -> str:
    """The identity that approved the execution last; empty when no approval was asked."""
    approvals = [
        action
        for action in _actions(codepipeline, pipeline, execution)
        if action["input"]["actionTypeId"]["category"] == "Approval" and action["status"] == "Succeeded"
    ]
    newest: dict[str, Any] = max(approvals, key=lambda action: action["lastUpdateTime"], default={})
    return str(newest.get("updatedBy", ""))


def _actions(codepipeline: Any, pipeline: str, execution: str) -> list[dict[str, Any]]:
    pages = codepipeline.get_paginator("list_action_executions").paginate(
        pipelineName=pipeline, filter={"pipelineExecutionId": execution}
    )
    return [action for page in pages for action in page["actionExecutionDetails"]]


def caller() -> str:
    return str(boto3.client("sts").get_caller_identity()["Arn"])
