"""CodePipeline: the delivery pipeline, its executions and approvals (over 300 lines: the operations of one API)."""

import json
import threading
from copy import deepcopy
from datetime import UTC, datetime
from uuid import uuid4

from moto.utilities.tagging_service import TaggingService

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Caller
from localaws.core.listing import page
from localaws.core.request_validation import validate_request
from localaws.core.service import Service
from localaws.services.codepipeline.execution import Execution, Lane, Track
from localaws.services.codepipeline.state import stage_state
from localaws.services.codepipeline.structure import check_revisions, check_structure, pipeline_variables

_SUMMARY_KEYS = (
    "pipelineExecutionId",
    "status",
    "statusSummary",
    "startTime",
    "lastUpdateTime",
    "sourceRevisions",
    "trigger",
    "stopTrigger",
    "executionMode",
    "executionType",
)
_EXECUTION_KEYS = (
    "pipelineName",
    "pipelineVersion",
    "pipelineExecutionId",
    "status",
    "statusSummary",
    "artifactRevisions",
    "variables",
    "trigger",
    "executionMode",
    "executionType",
)


class CodePipeline(Service):
    name = "codepipeline"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._tracks: dict[str, Track] = {}
        self._metadata: dict[str, Json] = {}
        self._tags = TaggingService("tags", "key", "value")  # by the pipeline's name
        self._request = threading.local()
        # The execution of each pipeline's client request token.
        self._started: dict[tuple[str, str], str] = {}
        self._starting = threading.Lock()

    def call(self, operation: str, request: Json, caller: Caller) -> Json:
        self._request.caller = caller.arn
        return super().call(operation, request, caller)

    def create_pipeline(self, request: Json) -> Json:
        """The first execution starts at once."""
        declaration = {**deepcopy(request["pipeline"]), "version": 1}
        name = declaration["name"]
        if name in self._tracks:
            raise ServiceError(
                "PipelineNameInUseException", f"A pipeline with the name {name} already exists"
            )
        check_structure(declaration)
        now = datetime.now(UTC)
        self._metadata[name] = {"pipelineArn": self._arn(name), "created": now, "updated": now}
        self._tags.tag_resource(name, request.get("tags", []))
        self._tracks[name] = Track(self.account, declaration)
        self._start(name, {"triggerType": "CreatePipeline", "triggerDetail": self._caller})
        return {"pipeline": declaration, "tags": request.get("tags", [])}

    def update_pipeline(self, request: Json) -> Json:
        name = request["pipeline"]["name"]
        track = self._track(name)
        declaration = {**deepcopy(request["pipeline"]), "version": track.declaration["version"] + 1}
        check_structure(declaration)
        track.replace(declaration)
        self._metadata[name]["updated"] = datetime.now(UTC)
        return {"pipeline": declaration}

    def get_pipeline(self, request: Json) -> Json:
        declaration = self._track(request["name"]).declaration
        if request.get("version", declaration["version"]) != declaration["version"]:
            raise ServiceError(
                "PipelineVersionNotFoundException",
                f"The local AWS keeps only the newest version, {declaration['version']}, of {request['name']}",
            )
        return {"pipeline": declaration, "metadata": self._metadata[request["name"]]}

    def delete_pipeline(self, request: Json) -> Json:
        """End the pipeline's executions and their builds."""
        track = self._tracks.pop(request["name"], None)
        if track is not None:
            self._metadata.pop(request["name"])
            self._tags.delete_all_tags_for_resource(request["name"])
            track.abandon_all()
        return {}

    def list_pipelines(self, _request: Json) -> Json:
        return {
            "pipelines": [
                {
                    "name": name,
                    "version": track.declaration["version"],
                    "pipelineType": track.declaration["pipelineType"],
                    "executionMode": track.declaration.get("executionMode", "SUPERSEDED"),
                    "created": self._metadata[name]["created"],
                    "updated": self._metadata[name]["updated"],
                }
                for name, track in sorted(self._tracks.items())
            ]
        }

    def start_pipeline_execution(self, request: Json) -> Json:
        token = (request["name"], request.get("clientRequestToken", str(uuid4())))
        with self._starting:
            if token not in self._started:
                trigger = {"triggerType": "StartPipelineExecution", "triggerDetail": self._caller}
                execution = self._start(
                    request["name"], trigger, request.get("variables", []), request.get("sourceRevisions", [])
                )
                self._started[token] = execution.id
        return {"pipelineExecutionId": self._started[token]}

    def start_for_rule(self, name: str, rule_arn: str, target_input: Json) -> str:
        """Start an execution for a rule of EventBridge; return the execution's id.

        Of the target's input CodePipeline reads `variables` and `sourceRevisions`.
        """
        request: Json = {
            key: target_input[key] for key in ("variables", "sourceRevisions") if key in target_input
        }
        validate_request(self.name, "StartPipelineExecution", {"name": name, **request})
        trigger = {"triggerType": "CloudWatchEvent", "triggerDetail": rule_arn}
        return self._start(name, trigger, request.get("variables"), request.get("sourceRevisions")).id

    def declarations(self) -> list[Json]:
        return [track.declaration for track in list(self._tracks.values())]

    def start_for_push(self, name: str, source_action: Json, commit: str) -> None:
        """Start an execution for a git trigger, on the very commit that was pushed."""
        configuration = source_action["configuration"]
        detail = {key: configuration[key] for key in ("ConnectionArn", "FullRepositoryId", "BranchName")}
        trigger = {"triggerType": "WebhookV2", "triggerDetail": json.dumps(detail)}
        revision = {"revisionType": "COMMIT_ID", "revisionValue": commit, "actionName": source_action["name"]}
        self._start(name, trigger, revisions=[revision])

    def stop_pipeline_execution(self, request: Json) -> Json:
        execution = self._execution(request)
        if not execution.in_progress:
            raise ServiceError(
                "PipelineExecutionNotStoppableException",
                f"The execution {execution.id} is {execution.status}",
            )
        if execution.status == "Stopping" and not request.get("abandon", False):
            raise ServiceError(
                "DuplicatedStopRequestException", f"The execution {execution.id} is already stopping"
            )
        execution.stop(abandon=request.get("abandon", False), reason=request.get("reason", ""))
        return {"pipelineExecutionId": execution.id}

    def retry_stage_execution(self, request: Json) -> Json:
        track, execution = self._track(request["pipelineName"]), self._execution(request)
        stage = request["stageName"]
        with track.changed:
            lane = self._lane(request)
            if lane.latest is not execution or lane.latest_status not in ("Failed", "Stopped"):
                raise ServiceError(
                    "StageNotRetryableException",
                    f"{execution.id} is not the latest execution of stage {stage}, or did not fail in it",
                )
            if execution.record["pipelineVersion"] != track.declaration["version"]:
                raise ServiceError("NotLatestPipelineExecutionException", "The pipeline was updated since.")
            execution.retry(stage, all_actions=request["retryMode"] == "ALL_ACTIONS")
        return {"pipelineExecutionId": execution.id}

    def get_pipeline_execution(self, request: Json) -> Json:
        record = self._execution(request).record
        return {"pipelineExecution": {key: record[key] for key in _EXECUTION_KEYS if key in record}}

    def list_pipeline_executions(self, request: Json) -> Json:
        if "filter" in request:
            raise ServiceError(
                "ValidationException", "The local AWS does not support filter of ListPipelineExecutions."
            )
        executions = list(self._track(request["pipelineName"]).executions.values())[::-1]
        summaries = [
            {key: execution.record[key] for key in _SUMMARY_KEYS if key in execution.record}
            for execution in executions
        ]
        return page("pipelineExecutionSummaries", summaries, request, marker="nextToken", size="maxResults")

    def list_action_executions(self, request: Json) -> Json:
        wanted = request.get("filter", {})
        if "latestInPipelineExecution" in wanted:
            wanted = {"pipelineExecutionId": wanted["latestInPipelineExecution"]["pipelineExecutionId"]}
        executions = self._track(request["pipelineName"]).executions.values()
        details = [
            action
            for execution in executions
            if wanted.get("pipelineExecutionId", execution.id) == execution.id
            for action in execution.actions
        ]
        details.sort(key=lambda action: action["startTime"], reverse=True)
        return page("actionExecutionDetails", details, request, marker="nextToken", size="maxResults")

    def get_pipeline_state(self, request: Json) -> Json:
        track = self._track(request["name"])
        with track.changed:
            return {
                "pipelineName": request["name"],
                "pipelineVersion": track.declaration["version"],
                "stageStates": [
                    stage_state(track.lanes[stage["name"]], stage) for stage in track.declaration["stages"]
                ],
                "created": self._metadata[request["name"]]["created"],
                "updated": self._metadata[request["name"]]["updated"],
            }

    def put_approval_result(self, request: Json) -> Json:
        track = self._track(request["pipelineName"])
        with track.changed:
            lane = self._lane(request)
            if request["actionName"] not in lane.actions and not self._declares(track, request):
                raise ServiceError(
                    "ActionNotFoundException", f"No action {request['actionName']} in {lane.name}"
                )
            approval = lane.approvals.get(request["actionName"])
            if approval is None or approval.answered.is_set():
                raise ServiceError(
                    "ApprovalAlreadyCompletedException",
                    f"The action {request['actionName']} waits for no approval",
                )
            if approval.token != request["token"]:
                raise ServiceError(
                    "InvalidApprovalTokenException", "The approval token is not that of the action"
                )
            approval.answer(
                approved=request["result"]["status"] == "Approved",
                summary=request["result"]["summary"],
                by=self._caller,
            )
        return {"approvedAt": datetime.now(UTC)}

    def disable_stage_transition(self, request: Json) -> Json:
        self._change_transition(request, {"enabled": False, "disabledReason": request["reason"]})
        return {}

    def enable_stage_transition(self, request: Json) -> Json:
        self._change_transition(request, {"enabled": True})
        return {}

    def list_tags_for_resource(self, request: Json) -> Json:
        return self._tags.list_tags_for_resource(self._tagged(request))

    def tag_resource(self, request: Json) -> Json:
        self._tags.tag_resource(self._tagged(request), request["tags"])
        return {}

    def untag_resource(self, request: Json) -> Json:
        self._tags.untag_resource_using_names(self._tagged(request), request["tagKeys"])
        return {}

    def close(self) -> None:
        for track in self._tracks.values():
            track.abandon_all()

    @property
    def _caller(self) -> str:
        """The caller of the request; CloudFormation without a request."""
        return getattr(self._request, "caller", "cloudformation.amazonaws.com")

    def _start(
        self,
        name: str,
        trigger: Json,
        variables: list[Json] | None = None,
        revisions: list[Json] | None = None,
    ) -> Execution:
        track = self._track(name)
        check_revisions(track.declaration, revisions or [])
        return track.start(
            trigger=trigger,
            variables=pipeline_variables(track.declaration, variables or []),
            revisions={revision["actionName"]: revision["revisionValue"] for revision in revisions or []},
        )

    def _change_transition(self, request: Json, transition: Json) -> None:
        if request["transitionType"] != "Inbound":
            raise ServiceError(
                "ValidationException", "The local AWS supports the transition type Inbound only."
            )
        track = self._track(request["pipelineName"])
        with track.changed:
            lane = self._lane(request)
            lane.transition = {
                **transition,
                "lastChangedBy": self._caller,
                "lastChangedAt": datetime.now(UTC),
            }
            lane.admit()
            track.changed.notify_all()

    def _declares(self, track: Track, request: Json) -> bool:
        return any(
            stage["name"] == request["stageName"] and action["name"] == request["actionName"]
            for stage in track.declaration["stages"]
            for action in stage["actions"]
        )

    def _track(self, name: str) -> Track:
        if name not in self._tracks:
            raise ServiceError(
                "PipelineNotFoundException",
                f"Account does not have a pipeline with name '{name}'",
            )
        return self._tracks[name]

    def _lane(self, request: Json) -> Lane:
        track = self._track(request["pipelineName"])
        if request["stageName"] not in track.lanes:
            raise ServiceError(
                "StageNotFoundException",
                f"Pipeline {request['pipelineName']} has no stage {request['stageName']}",
            )
        return track.lanes[request["stageName"]]

    def _execution(self, request: Json) -> Execution:
        executions = self._track(request["pipelineName"]).executions
        identifier = request["pipelineExecutionId"]
        if identifier not in executions:
            raise ServiceError(
                "PipelineExecutionNotFoundException",
                f"{request['pipelineName']} has no execution {identifier}",
            )
        return executions[identifier]

    def _tagged(self, request: Json) -> str:
        """The name of the pipeline that a request on tags means."""
        name: str = request["resourceArn"].rpartition(":")[2]
        self._track(name)
        return name

    def _arn(self, name: str) -> str:
        return self.account.arn("codepipeline", name)
