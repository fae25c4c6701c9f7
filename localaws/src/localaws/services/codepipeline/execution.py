"""Executions on their way through the stages of a pipeline (over 300 lines: lanes, tracks and executions know each other).

A stage is locked by the one execution that is in it. Others wait in front of it: in mode SUPERSEDED one at most,
for a newer one takes the place of an older one that waits; in mode QUEUED all of them, in their order.
"""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Credentials
from localaws.services.codebuild.work import S3Object
from localaws.services.codepipeline.action_run import Abandoned, ActionFailure, ActionRun
from localaws.services.codepipeline.actions import fetch_by_connection, fetch_commit, fetch_from_s3, run_build
from localaws.services.codepipeline.approval import Approval, wait_for_approval
from localaws.services.codepipeline.structure import UnresolvedVariable, action_groups, resolve
from localaws.services.iam.authorization import assume_role

LOG = logging.getLogger("localaws.codepipeline")
_PATIENCE_SECONDS = 10.0
_PERFORM = {
    "CodeCommit": fetch_commit,
    "CodeStarSourceConnection": fetch_by_connection,
    "S3": fetch_from_s3,
    "CodeBuild": run_build,
}


@dataclass
class Lane:
    """A stage as executions see it."""

    name: str
    holder: "Execution | None" = None
    waiting: list["Execution"] = field(default_factory=list)
    transition: Json = field(default_factory=lambda: {"enabled": True})
    latest: "Execution | None" = None
    latest_status: str = ""
    actions: dict[str, Json] = field(default_factory=dict)  # the latest record of each action
    approvals: dict[str, Approval] = field(default_factory=dict)  # of actions that wait for an answer

    def admit(self) -> None:
        """Let the first of those that wait in, if the stage is free and its transition enabled."""
        if self.holder is None and self.transition["enabled"] and self.waiting:
            self.holder = self.latest = self.waiting.pop(0)
            self.latest_status = "InProgress"


class Track:
    """The stages of one pipeline with the executions in them. `changed` guards all of it."""

    def __init__(self, account: Account, declaration: Json) -> None:
        self.account = account
        self.declaration = declaration
        self.changed = threading.Condition(threading.RLock())
        self.executions: dict[str, Execution] = {}
        self.lanes = {stage["name"]: Lane(stage["name"]) for stage in declaration["stages"]}

    def replace(self, declaration: Json) -> None:
        """A new version of the pipeline: executions of the old one end where their stage ends."""
        with self.changed:
            lanes = {
                stage["name"]: self.lanes.get(stage["name"], Lane(stage["name"]))
                for stage in declaration["stages"]
            }
            self.declaration, self.lanes = declaration, lanes
            self.changed.notify_all()

    def start(self, *, trigger: Json, variables: dict[str, str], revisions: dict[str, str]) -> "Execution":
        with self.changed:
            execution = Execution(self, len(self.executions), trigger, variables, revisions)
            self.executions[execution.id] = execution
            self.queue(execution, self.declaration["stages"][0]["name"])
        execution.publish("STARTED")
        execution.run_from(0)
        return execution

    def queue(self, execution: "Execution", stage: str) -> None:
        """Let an execution wait at the entrance of a stage."""
        with self.changed:
            lane = self.lanes[stage]
            lane.waiting = sorted([*lane.waiting, execution], key=lambda other: other.number)
            lane.admit()
            if self.declaration.get("executionMode", "SUPERSEDED") == "SUPERSEDED":
                for older in lane.waiting[:-1]:
                    older.superseded = True
                lane.waiting = lane.waiting[-1:]
            self.changed.notify_all()

    def enter(self, execution: "Execution", stage: str) -> str | None:
        """Wait until the execution holds the stage; otherwise returns the status that ends it."""
        with self.changed:
            while True:
                lane = self.lanes.get(stage)
                if lane is not None and lane.holder is execution:
                    return None
                ending = execution.ending()
                if ending is not None or lane is None:
                    if lane is not None and execution in lane.waiting:
                        lane.waiting.remove(execution)
                    return ending or "Cancelled"
                self.changed.wait()

    def leave(self, execution: "Execution", lane: Lane, status: str, following: str | None) -> None:
        """Unlock the stage and, in the same moment, queue the execution in front of the following one."""
        with self.changed:
            lane.latest_status = status
            lane.holder = None
            if following is not None:
                self.queue(execution, following)
            lane.admit()
            self.changed.notify_all()

    def abandon_all(self) -> None:
        """End every execution without waiting for its actions, and the builds that they started."""
        for execution in list(self.executions.values()):
            if execution.in_progress:
                execution.stop(abandon=True, reason="The pipeline was deleted.")
            execution.stop_builds()
        for execution in list(self.executions.values()):
            execution.join()


class Execution:
    """One run of the pipeline; `record` has the API's shape."""

    def __init__(
        self, track: Track, number: int, trigger: Json, variables: dict[str, str], revisions: dict[str, str]
    ) -> None:
        self.id = str(uuid4())
        self.number = number
        self.superseded = False
        self.actions: list[Json] = []  # in the API's shape, oldest first
        self._track = track
        self._account = track.account
        self._declaration = track.declaration
        self._revisions = revisions
        self._artifacts: dict[str, S3Object] = {}
        self._artifact_revisions: dict[str, str] = {}
        self._namespaces: dict[str, dict[str, str]] = {
            "codepipeline": {"PipelineExecutionId": self.id},
            "variables": variables,
        }
        self._done: set[tuple[str, str]] = set()  # stage and name of the actions that succeeded
        self._runs: list[ActionRun] = []
        self._abandoned = False
        self._thread = threading.Thread()
        now = datetime.now(UTC)
        self.record: Json = {
            "pipelineName": self._declaration["name"],
            "pipelineVersion": self._declaration["version"],
            "pipelineExecutionId": self.id,
            "status": "InProgress",
            "startTime": now,
            "lastUpdateTime": now,
            "sourceRevisions": [],
            "artifactRevisions": [],
            "variables": [{"name": name, "resolvedValue": value} for name, value in variables.items()],
            "trigger": trigger,
            "executionMode": self._declaration.get("executionMode", "SUPERSEDED"),
            "executionType": "STANDARD",
        }

    @property
    def status(self) -> str:
        return str(self.record["status"])

    @property
    def in_progress(self) -> bool:
        return self.status in ("InProgress", "Stopping")

    def ending(self) -> str | None:
        """The status that ends an execution that is between two stages, if one does."""
        if self.superseded:
            return "Superseded"
        if self.status == "Stopping":
            return "Stopped"
        if self._track.declaration["version"] != self._declaration["version"]:
            return "Cancelled"
        return None

    def run_from(self, stage_number: int) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(stage_number,), name=f"execution-{self.id}", daemon=True
        )
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of a stopped execution, but not for an AWS call that hangs."""
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_SECONDS)

    def stop(self, *, abandon: bool, reason: str) -> None:
        with self._track.changed:
            self._abandoned = self._abandoned or abandon
            self._update("Stopping")
            self.record["stopTrigger"] = {"reason": reason}
            self._track.changed.notify_all()
        self.publish("STOPPING")

    def stop_builds(self) -> None:
        for run in list(self._runs):
            if run.build is not None:
                run.build.stop()

    def retry(self, stage: str, *, all_actions: bool) -> None:
        """Run a failed stage again, from its first action or only those that did not succeed."""
        with self._track.changed:
            if all_actions:
                self._done = {done for done in self._done if done[0] != stage}
            self._abandoned = False
            self._update("InProgress")
            self.record.pop("stopTrigger", None)
            self._track.queue(self, stage)
        self.publish("RESUMED")
        self.run_from([each["name"] for each in self._declaration["stages"]].index(stage))

    def publish(self, state: str) -> None:
        self._account.publish_event(
            source="aws.codepipeline",
            detail_type="CodePipeline Pipeline Execution State Change",
            detail={
                "pipeline": self.record["pipelineName"],
                "execution-id": self.id,
                "execution-trigger": {
                    "trigger-type": self.record["trigger"]["triggerType"],
                    "trigger-detail": self.record["trigger"]["triggerDetail"],
                },
                "state": state,
                "version": self.record["pipelineVersion"],
            },
            resources=[self._account.arn("codepipeline", self.record["pipelineName"])],
        )

    def _publish_action(self, record: Json) -> None:
        result = record["output"]["executionResult"]
        error = result.get("errorDetails", {})
        told = {
            "external-execution-id": result.get("externalExecutionId"),
            "external-execution-url": result.get("externalExecutionUrl"),
            "external-execution-summary": result.get("externalExecutionSummary") or error.get("message"),
            "error-code": error.get("code"),
        }
        detail = {
            "pipeline": self.record["pipelineName"],
            "execution-id": self.id,
            "version": self.record["pipelineVersion"],
            "stage": record["stageName"],
            "action": record["actionName"],
            "action-execution-id": record["actionExecutionId"],
            "state": "STARTED" if record["status"] == "InProgress" else record["status"].upper(),
            "region": self._account.region,
            "type": record["input"]["actionTypeId"],
        }
        if any(told.values()):
            detail["execution-result"] = {key: value for key, value in told.items() if value}
        self._account.publish_event(
            source="aws.codepipeline",
            detail_type="CodePipeline Action Execution State Change",
            detail=detail,
            resources=[self._account.arn("codepipeline", self.record["pipelineName"])],
        )

    def _run(self, first: int) -> None:
        stages = self._declaration["stages"]
        ending: str | None = None
        for number in range(first, len(stages)):
            ending = self._track.enter(self, stages[number]["name"])
            if ending is None:
                ending = self._pass(stages, number)
            if ending is not None:
                break
        self._end(ending or "Succeeded")

    def _pass(self, stages: list[Json], number: int) -> str | None:
        """Run a stage and leave it; return the status that ends the execution here, if one does."""
        stage = stages[number]
        lane = self._track.lanes[stage["name"]]
        succeeded = self._run_stage(stage, lane)
        with self._track.changed:
            ending = self.ending() if succeeded or self._abandoned else "Failed"
            status = "Succeeded" if succeeded and ending != "Stopped" else ending or "Failed"
            last = number + 1 == len(stages)
            if succeeded and last and self._stage_complete(stage):
                ending, status = None, "Succeeded"  # nothing is left that could be stopped or overtaken
            following = stages[number + 1]["name"] if ending is None and not last else None
            self._track.leave(self, lane, status, following)
        return ending

    def _stage_complete(self, stage: Json) -> bool:
        return all((stage["name"], action["name"]) in self._done for action in stage["actions"])

    def _run_stage(self, stage: Json, lane: Lane) -> bool:
        for group in action_groups(stage):
            if self.status == "Stopping":
                return True
            todo = [action for action in group if (stage["name"], action["name"]) not in self._done]
            if not todo:
                continue
            with ThreadPoolExecutor(len(todo)) as pool:
                results = list(pool.map(lambda action: self._run_action(stage["name"], lane, action), todo))
            if not all(results):
                return False
        return True

    def _run_action(self, stage: str, lane: Lane, action: Json) -> bool:
        record = self._new_record(stage, action)
        with self._track.changed:
            self.actions.append(record)
            lane.actions[action["name"]] = record
        self._publish_action(record)
        with self._recorded(record, lane):
            run = self._prepare(stage, action, record)
            self._runs.append(run)
            try:
                outputs = self._perform(run, lane)
            finally:
                record["output"]["outputVariables"] = run.variables
            with self._track.changed:
                self._take_over(run, outputs)
                self._done.add((stage, action["name"]))
        return str(record["status"]) == "Succeeded"

    def _perform(self, run: ActionRun, lane: Lane) -> dict[str, S3Object]:
        perform = _PERFORM.get(run.declaration["actionTypeId"]["provider"])
        if perform is not None:
            return perform(run)
        name = run.declaration["name"]
        lane.approvals[name] = approval = Approval()
        try:
            return wait_for_approval(run, approval)
        finally:
            del lane.approvals[name]

    def _prepare(self, stage: str, action: Json, record: Json) -> ActionRun:
        configuration = resolve(action.get("configuration", {}), self._namespaces)
        record["input"]["resolvedConfiguration"] = configuration
        inputs = {item["name"]: self._artifacts[item["name"]] for item in action.get("inputArtifacts", [])}
        record["input"]["inputArtifacts"] = _described(inputs)
        primary = configuration.get("PrimarySource", next(iter(inputs), ""))
        return ActionRun(
            account=self._account,
            pipeline=self._declaration["name"],
            stage=stage,
            declaration=action,
            configuration=configuration,
            credentials=self._credentials(action),
            bucket=self._declaration["artifactStore"]["location"],
            inputs=inputs,
            revision=self._artifact_revisions.get(primary) if inputs else self._revisions.get(action["name"]),
            abandoned=lambda: self._abandoned,
            record=record,
        )

    def _credentials(self, action: Json) -> Credentials:
        """Credentials of the action's own role, which the pipeline's role must be allowed to assume, or of the pipeline's."""
        service_role = assume_role(
            self._account,
            self._declaration["roleArn"],
            principal="codepipeline.amazonaws.com",
            session_name=self.id,
        )
        if "roleArn" not in action:
            return service_role
        answer = self._account.client("sts", service_role).assume_role(
            RoleArn=action["roleArn"], RoleSessionName=self.id
        )["Credentials"]
        return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])

    @contextmanager
    def _recorded(self, record: Json, lane: Lane) -> Iterator[None]:
        """Write into the record how its action ended."""
        error: ActionFailure | None = None
        status = "Failed"
        try:
            yield
            status = "Succeeded"
        except Abandoned:
            status = "Abandoned"
        except ActionFailure as failure:
            error = failure
        except UnresolvedVariable as failure:
            error = ActionFailure("ConfigurationError", str(failure))
        except ServiceError as failure:
            error = ActionFailure(
                "PermissionError" if failure.code == "AccessDenied" else "ConfigurationError", failure.message
            )
        except Exception as failure:
            LOG.exception("action %s of %s", record["actionName"], record["stageName"])
            error = ActionFailure("InternalError", f"{type(failure).__name__}: {failure}")
        with self._track.changed:
            if error is not None:
                record["output"]["executionResult"]["errorDetails"] = {
                    "code": error.code,
                    "message": error.message,
                }
                LOG.info("%s/%s failed: %s: %s", lane.name, record["actionName"], error.code, error.message)
            record.update(status=status, lastUpdateTime=datetime.now(UTC))
        self._publish_action(record)

    def _take_over(self, run: ActionRun, outputs: dict[str, S3Object]) -> None:
        """Keep the output variables and artifacts of an action that succeeded, for later actions."""
        self._artifacts.update(outputs)
        run.record["output"]["outputArtifacts"] = _described(outputs)
        if "namespace" in run.declaration:
            self._namespaces[run.declaration["namespace"]] = run.variables
        if run.source_revision is None:
            return
        self._replace("sourceRevisions", "actionName", run.source_revision)
        for name in outputs:
            self._artifact_revisions[name] = run.source_revision["revisionId"]
            revision = {key: value for key, value in run.source_revision.items() if key != "actionName"}
            self._replace(
                "artifactRevisions", "name", {"name": name, **revision, "created": datetime.now(UTC)}
            )

    def _replace(self, member: str, key: str, entry: Json) -> None:
        """A stage that is retried as a whole takes its revisions anew."""
        kept = [each for each in self.record[member] if each[key] != entry[key]]
        self.record[member] = [*kept, entry]

    def _new_record(self, stage: str, action: Json) -> Json:
        now = datetime.now(UTC)
        return {
            "pipelineExecutionId": self.id,
            "actionExecutionId": str(uuid4()),
            "pipelineVersion": self.record["pipelineVersion"],
            "stageName": stage,
            "actionName": action["name"],
            "startTime": now,
            "lastUpdateTime": now,
            "status": "InProgress",
            "input": {
                "actionTypeId": action["actionTypeId"],
                "configuration": action.get("configuration", {}),
                "resolvedConfiguration": {},
                "region": self._account.region,
                "inputArtifacts": [],
                **{key: action[key] for key in ("roleArn", "namespace") if key in action},
            },
            "output": {"outputArtifacts": [], "executionResult": {}, "outputVariables": {}},
        }

    def _end(self, status: str) -> None:
        with self._track.changed:
            self._update(status)
            if status == "Cancelled":
                self.record["statusSummary"] = (
                    "The pipeline's definition was updated before the pipeline execution could be completed."
                )
            self._track.changed.notify_all()
        LOG.info("%s execution %s %s", self.record["pipelineName"], self.id, status)
        self.publish({"Cancelled": "CANCELED"}.get(status, status.upper()))

    def _update(self, status: str) -> None:
        self.record.update(status=status, lastUpdateTime=datetime.now(UTC))


def _described(artifacts: dict[str, S3Object]) -> list[Json]:
    return [
        {"name": name, "s3location": {"bucket": item.bucket, "key": item.key}}
        for name, item in artifacts.items()
    ]
