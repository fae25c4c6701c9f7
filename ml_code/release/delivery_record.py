"""CodePipeline's record of a delivery. The exports of pushed code in it are claims; the rest is CodePipeline's own."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import boto3

from ml_code.contracts import VERSION_NUMBER, Stage, Variable

if TYPE_CHECKING:
    from types_boto3_codepipeline import CodePipelineClient
    from types_boto3_codepipeline.type_defs import ActionExecutionDetailTypeDef

SHA256 = r"[0-9a-f]{64}"


class DeliveryError(Exception):
    """The record of the delivery lacks what a release needs."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """The training that the Build, which runs the pushed code, claims, and the time when the Build began."""

    model_version: str
    execution_arn: str
    build_started: datetime


@dataclass(frozen=True, kw_only=True)
class Staged:
    """The archive that Staging released, by its own code's exports."""

    archive_sha256: str
    test_rows_sha256: str


@dataclass(frozen=True, kw_only=True)
class DeliveryRecord:
    """The newest successful action of each stage of one delivery."""

    execution: str
    actions: Mapping[str, "ActionExecutionDetailTypeDef"]  # by "<stage>/<action>"

    @property
    def commit(self) -> str:
        return self._output(self._source, "CommitId", r"[0-9a-f]{7,64}")

    @property
    def message(self) -> str:
        """The first line of the commit's message."""
        return str(_outputs(self._source).get("CommitMessage", "")).strip().partition("\n")[0]

    @property
    def repository(self) -> str:
        """The name of the CodeCommit repository; empty for other hosts."""
        return str(_outputs(self._source).get("RepositoryName", ""))

    @property
    def training(self) -> Training:
        build = self._action(Stage.BUILD, Stage.BUILD)
        return Training(
            model_version=self._output(build, Variable.MODEL_VERSION, VERSION_NUMBER),
            execution_arn=self._output(build, Variable.EXECUTION_ARN, r"arn:[\w:/.-]+"),
            build_started=build["startTime"],
        )

    @property
    def staged(self) -> Staged:
        staging = self._action(Stage.STAGING, Stage.DEPLOY_ACTION)
        return Staged(
            archive_sha256=self._output(staging, Variable.ARCHIVE_SHA256, SHA256),
            test_rows_sha256=self._output(staging, Variable.TEST_ROWS_SHA256, SHA256),
        )

    @property
    def approved_by(self) -> str:
        """The identity that CodePipeline saw approve."""
        return str(self._action(Stage.APPROVAL, Stage.APPROVE_ACTION).get("updatedBy", ""))

    @property
    def _source(self) -> "ActionExecutionDetailTypeDef":
        return self._action(Stage.SOURCE, Stage.SOURCE)

    def _action(self, stage: str, name: str) -> "ActionExecutionDetailTypeDef":
        if f"{stage}/{name}" not in self.actions:
            raise DeliveryError(f"delivery {self.execution} has no successful action {name} in stage {stage}")
        return self.actions[f"{stage}/{name}"]

    def _output(self, action: "ActionExecutionDetailTypeDef", name: str, pattern: str) -> str:
        value = str(_outputs(action).get(name, ""))
        if not re.fullmatch(pattern, value):
            raise DeliveryError(
                f"{name} of action {action['actionName']} in delivery {self.execution} is {value!r}, allowed is what "
                f"matches {pattern}"
            )
        return value


def read_delivery(codepipeline: "CodePipelineClient", pipeline: str, execution: str) -> DeliveryRecord:
    """Read the delivery from CodePipeline's API, because a quote in an exported variable would add variables to a build."""
    found = action_executions(codepipeline, pipeline, execution)
    succeeded = sorted(
        (action for action in found if action["status"] == "Succeeded"),
        key=lambda action: action["lastUpdateTime"],
    )
    actions = {f"{action['stageName']}/{action['actionName']}": action for action in succeeded}
    return DeliveryRecord(execution=execution, actions=actions)


def action_executions(
    codepipeline: "CodePipelineClient", pipeline: str, execution: str
) -> Iterator["ActionExecutionDetailTypeDef"]:
    """CodePipeline's own records, each attempt of an action its own."""
    pages = codepipeline.get_paginator("list_action_executions").paginate(
        pipelineName=pipeline, filter={"pipelineExecutionId": execution}
    )
    for page in pages:
        yield from page["actionExecutionDetails"]


def _outputs(action: "ActionExecutionDetailTypeDef") -> dict[str, str]:
    return action.get("output", {}).get("outputVariables", {})


def caller() -> str:
    return str(boto3.client("sts").get_caller_identity()["Arn"])
