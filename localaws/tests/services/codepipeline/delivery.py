"""Pipelines of one repository and one build project."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localaws.core.account import Account
from localaws.runtime.archives import pack

Json = dict[str, Any]


Wait = Callable[..., Any]


BUCKET = "delivery-artifacts"


PIPELINE_ACTIONS = ("codecommit:*", "codebuild:StartBuild", "codebuild:BatchGetBuilds", "s3:PutObject")


BUILD_ACTIONS = ("logs:*", "s3:GetObject", "s3:PutObject")


def action(category: str, provider: str, **members: Any) -> Json:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": provider, "actionTypeId": kind, **members}


def source(repository: str) -> Json:
    configuration = {"RepositoryName": repository, "BranchName": "main", "PollForSourceChanges": "false"}
    return action(
        "Source",
        "CodeCommit",
        namespace="SourceVariables",
        configuration=configuration,
        outputArtifacts=[{"name": "Source"}],
    )


def build(project: str, *, namespace: str | None = None, **variables: str) -> Json:
    configuration = {"ProjectName": project}
    if variables:
        configuration["EnvironmentVariables"] = json.dumps(
            [{"name": name, "value": value} for name, value in variables.items()]
        )
    members = {"namespace": namespace} if namespace else {}
    return action(
        "Build", "CodeBuild", configuration=configuration, inputArtifacts=[{"name": "Source"}], **members
    )


def approval(text: str = "") -> Json:
    return action("Approval", "Manual", configuration={"CustomData": text} if text else {})


class Delivery:
    """One repository and one build project; makes pipelines of them."""

    def __init__(self, account: Account, make_role: Callable[..., str], name: str, folder: Path) -> None:
        self.account = account
        self.name = name
        self.client = account.client("codepipeline")
        self.pipeline_role = make_role("codepipeline.amazonaws.com", *PIPELINE_ACTIONS)
        self.build_role = make_role("codebuild.amazonaws.com", *BUILD_ACTIONS)
        self._folder = folder
        account.client("codecommit").create_repository(repositoryName=name)
        account.client("codebuild").create_project(
            name=name,
            source={"type": "CODEPIPELINE", "buildspec": "build.yml"},
            artifacts={"type": "CODEPIPELINE"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/standard:7.0",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
            serviceRole=self.build_role,
        )

    def seed(self, buildspec: str) -> None:
        path = self._folder / "build.yml"
        path.write_text(buildspec)
        archive = self._folder / "seed.zip"
        archive.write_bytes(pack({"build.yml": path}))
        service: Any = self.account.services["codecommit"]
        service.seed(self.name, archive, "main")

    def create(self, *stages: Json, **members: Any) -> None:
        self.client.create_pipeline(
            pipeline={
                "name": self.name,
                "roleArn": self.pipeline_role,
                "artifactStore": {"type": "S3", "location": BUCKET},
                "pipelineType": "V2",
                "stages": [
                    {"name": name, "actions": actions} for stage in stages for name, actions in stage.items()
                ],
                **members,
            }
        )

    def start(self, **members: Any) -> str:
        return str(self.client.start_pipeline_execution(name=self.name, **members)["pipelineExecutionId"])

    def executions(self) -> list[Json]:
        """Oldest first."""
        summaries: list[Json] = self.client.list_pipeline_executions(pipelineName=self.name)[
            "pipelineExecutionSummaries"
        ]
        return summaries[::-1]

    def statuses(self) -> list[str]:
        return [execution["status"] for execution in self.executions()]

    def stage(self, name: str) -> Json:
        stages = self.client.get_pipeline_state(name=self.name)["stageStates"]
        return next(stage for stage in stages if stage["stageName"] == name)

    def latest(self, stage: str, action_name: str) -> Json:
        states = self.stage(stage)["actionStates"]
        found: Json = next(state for state in states if state["actionName"] == action_name)
        latest: Json = found.get("latestExecution", {})
        return latest

    def action(self, name: str) -> Json:
        details = self.client.list_action_executions(pipelineName=self.name)["actionExecutionDetails"]
        found: Json = next(detail for detail in details if detail["actionName"] == name)
        return found

    def approve(self, stage: str, status: str = "Approved") -> None:
        self.client.put_approval_result(
            pipelineName=self.name,
            stageName=stage,
            actionName="Manual",
            result={"status": status, "summary": "looked at it"},
            token=self.latest(stage, "Manual")["token"],
        )


def connected(arn: str) -> Json:
    configuration = {"ConnectionArn": arn, "FullRepositoryId": "acme/digits", "BranchName": "main"}
    return action(
        "Source",
        "CodeStarSourceConnection",
        configuration=configuration,
        outputArtifacts=[{"name": "Source"}],
    )


def git_trigger(source_action: str, branch: str = "main") -> Json:
    push = {"branches": {"includes": [branch]}, "filePaths": {"includes": ["training/**"]}}
    return {
        "providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": source_action, "push": [push]},
    }
