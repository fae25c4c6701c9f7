"""The states of stages and actions, as GetPipelineState answers."""

from localaws.core.errors import Json
from localaws.services.codepipeline.execution import Lane


def stage_state(lane: Lane, stage: Json) -> Json:
    inbound = [
        {"pipelineExecutionId": execution.id, "status": execution.status, "type": "STANDARD"}
        for execution in lane.waiting
    ]
    state: Json = {
        "stageName": lane.name,
        "inboundExecutions": inbound,
        "inboundTransitionState": lane.transition,
        "actionStates": [action_state(lane, action["name"]) for action in stage["actions"]],
    }
    if inbound:
        state["inboundExecution"] = inbound[0]
    if lane.latest is not None:
        status = (
            "Stopping" if lane.holder is not None and lane.holder.status == "Stopping" else lane.latest_status
        )
        state["latestExecution"] = {
            "pipelineExecutionId": lane.latest.id,
            "status": status,
            "type": "STANDARD",
        }
    return state


def action_state(lane: Lane, name: str) -> Json:
    state: Json = {"actionName": name}
    record = lane.actions.get(name)
    if record is None:
        return state
    result = record["output"]["executionResult"]
    latest = {
        "actionExecutionId": record["actionExecutionId"],
        "status": record["status"],
        "lastStatusChange": record["lastUpdateTime"],
    }
    names = {
        "externalExecutionId": "externalExecutionId",
        "externalExecutionUrl": "externalExecutionUrl",
        "externalExecutionSummary": "summary",
        "errorDetails": "errorDetails",
    }
    latest.update({member: result[key] for key, member in names.items() if key in result})
    if "updatedBy" in record:
        latest["lastUpdatedBy"] = record["updatedBy"]
    if name in lane.approvals:
        latest["token"] = lane.approvals[name].token
    if record["input"]["actionTypeId"]["category"] == "Source" and "externalExecutionId" in result:
        state["currentRevision"] = {
            "revisionId": result["externalExecutionId"],
            "revisionChangeId": result["externalExecutionId"],
            "created": record["lastUpdateTime"],
        }
        state["revisionUrl"] = result["externalExecutionUrl"]
    state["latestExecution"] = latest
    return state
