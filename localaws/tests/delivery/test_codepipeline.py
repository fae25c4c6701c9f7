import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.runtime.archives import pack
from localaws.services.codecommit.git_credential import git_configuration
from localaws.services.codepipeline.git_triggers import GitTriggers

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


class Factory:
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


@pytest.fixture
def factory(
    account: Account, make_role: Callable[..., str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Factory]:
    factory = Factory(account, make_role, f"factory-{time.monotonic_ns()}", tmp_path)
    yield factory
    factory.client.delete_pipeline(name=factory.name)
    account.client("codebuild").delete_project(name=factory.name)
    account.client("codecommit").delete_repository(repositoryName=factory.name)


def test_creation_runs_the_pipeline_with_artifacts_and_variables(factory: Factory, eventually: Wait) -> None:
    factory.seed(
        "version: 0.2\n"
        "env: {exported-variables: [MODEL_VERSION, SEEN]}\n"
        "phases: {build: {commands: ['MODEL_VERSION=3', 'SEEN=$GIVEN-$CODEBUILD_RESOLVED_SOURCE_VERSION']}}\n"
    )
    factory.create(
        {"Source": [source(factory.name)]},
        {"Build": [build(factory.name, namespace="Build", GIVEN="#{SourceVariables.BranchName}")]},
        {"Approval": [approval("Version #{Build.MODEL_VERSION} of #{codepipeline.PipelineExecutionId}?")]},
    )
    eventually(lambda: factory.latest("Approval", "Manual").get("token"))
    [execution] = factory.executions()
    commit = execution["sourceRevisions"][0]["revisionId"]
    assert execution["trigger"]["triggerType"] == "CreatePipeline"
    assert factory.action("CodeBuild")["output"]["outputVariables"] == {
        "MODEL_VERSION": "3",
        "SEEN": f"main-{commit}",
    }
    question = factory.action("Manual")["input"]["resolvedConfiguration"]["CustomData"]
    assert question == f"Version 3 of {execution['pipelineExecutionId']}?"
    location = factory.action("CodeCommit")["output"]["outputArtifacts"][0]["s3location"]
    assert location["bucket"] == BUCKET and location["key"].startswith(f"{factory.name[:20]}/Source/")
    factory.approve("Approval")
    eventually(lambda: factory.statuses() == ["Succeeded"])
    assert factory.latest("Approval", "Manual")["summary"] == "looked at it"
    with pytest.raises(ClientError, match="ApprovalAlreadyCompletedException"):
        factory.client.put_approval_result(
            pipelineName=factory.name,
            stageName="Approval",
            actionName="Manual",
            result={"status": "Approved", "summary": ""},
            token="a-token-that-was-used",  # noqa: S106
        )


def test_a_push_starts_an_execution_of_the_pushed_commit(
    factory: Factory, eventually: Wait, account: Account, make_role: Callable[..., str], tmp_path: Path
) -> None:
    factory.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    factory.create({"Source": [source(factory.name)]}, {"Build": [build(factory.name)]})
    events = account.client("events")
    pattern = {"source": ["aws.codecommit"], "resources": [account.arn("codecommit", factory.name)]}
    rule = events.put_rule(Name=factory.name, EventPattern=json.dumps(pattern))["RuleArn"]
    target = {
        "Id": "Target0",
        "Arn": account.arn("codepipeline", factory.name),
        "RoleArn": make_role("events.amazonaws.com", "codepipeline:StartPipelineExecution"),
    }
    events.put_targets(Rule=factory.name, Targets=[target])
    environment = {
        **os.environ,
        **account.environment(account.administrator),
        **git_configuration(account.endpoint_url, {}),
    }
    script = """set -e
        git clone -q "$1" work && cd work
        git -c user.name=Ada -c user.email=a@b commit -q --allow-empty -m 'Another try'
        git push -q origin main
        git rev-parse HEAD"""
    url = f"{account.endpoint_url}/v1/repos/{factory.name}"
    pushed = subprocess.run(
        ["sh", "-c", script, "sh", url],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    eventually(lambda: factory.statuses()[1:] == ["Succeeded"])
    execution = factory.executions()[1]
    assert execution["trigger"] == {"triggerType": "CloudWatchEvent", "triggerDetail": rule}
    assert execution["sourceRevisions"][0]["revisionId"] == pushed.stdout.strip()
    assert execution["sourceRevisions"][0]["revisionSummary"] == "Another try"


def test_failed_build_fails_the_execution_with_its_reason(factory: Factory, eventually: Wait) -> None:
    factory.seed("version: 0.2\nphases: {build: {commands: [exit 2]}}\n")
    factory.create(
        {"Source": [source(factory.name)]}, {"Build": [build(factory.name)]}, {"Approval": [approval()]}
    )
    eventually(lambda: factory.statuses() == ["Failed"])
    details = factory.latest("Build", "CodeBuild")["errorDetails"]
    assert details["code"] == "JobFailed"
    assert details["message"] == (
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: "
        "Error while executing command: exit 2. Reason: exit status 2"
    )
    assert factory.stage("Build")["latestExecution"]["status"] == "Failed"
    assert factory.latest("Approval", "Manual") == {}


def test_missing_permission_of_the_role_fails_the_action(
    factory: Factory, eventually: Wait, make_role: Callable[..., str]
) -> None:
    factory.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    factory.pipeline_role = make_role("codepipeline.amazonaws.com", "codecommit:*", "s3:*")
    factory.create({"Source": [source(factory.name)]}, {"Build": [build(factory.name)]})
    eventually(lambda: factory.statuses() == ["Failed"])
    details = factory.latest("Build", "CodeBuild")["errorDetails"]
    assert details["code"] == "PermissionError"
    assert "codebuild:StartBuild" in details["message"] and factory.name in details["message"]


def connected(arn: str) -> Json:
    configuration = {"ConnectionArn": arn, "FullRepositoryId": "acme/digits", "BranchName": "main"}
    return action(
        "Source",
        "CodeStarSourceConnection",
        configuration=configuration,
        outputArtifacts=[{"name": "Source"}],
    )


def git_trigger(source_action: str, branch: str = "main") -> Json:
    push = {"branches": {"includes": [branch]}, "filePaths": {"includes": ["ml_code/**"]}}
    return {
        "providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": source_action, "push": [push]},
    }


@pytest.mark.parametrize(
    ("permission", "code", "message"),
    [
        ("codeconnections:UseConnection", "ConfigurationError", "[GitHub] Connection {arn} is not available"),
        ("s3:*", "PermissionError", "is not authorized to perform: codeconnections:UseConnection"),
    ],
)
def test_a_pending_connection_fails_the_source_with_its_provider(
    factory: Factory,
    account: Account,
    eventually: Wait,
    make_role: Callable[..., str],
    permission: str,
    code: str,
    message: str,
) -> None:
    connections = account.client("codeconnections")
    arn = connections.create_connection(ConnectionName="digits", ProviderType="GitHub")["ConnectionArn"]
    try:
        factory.pipeline_role = make_role("codepipeline.amazonaws.com", permission)
        factory.create(
            {"Source": [connected(arn)]},
            {"Approval": [approval()]},
            triggers=[git_trigger("CodeStarSourceConnection")],
        )
        eventually(lambda: factory.statuses() == ["Failed"])
        details = factory.latest("Source", "CodeStarSourceConnection")["errorDetails"]
        assert details["code"] == code
        assert message.format(arn=arn) in details["message"]
    finally:
        connections.delete_connection(ConnectionArn=arn)


def test_pushes_behind_a_completed_connection_start_what_they_fit(
    factory: Factory, account: Account, eventually: Wait, make_role: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "provider"
    work = folder / "acme" / "digits"

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        command = ["git", "-C", str(work), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(path: str) -> str:
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(f"{time.monotonic_ns()}")
        git("add", path)
        git("commit", "--quiet", "--message", f"Change {path}")
        return git("rev-parse", "HEAD")

    work.mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=main")
    commit("README.md")
    client = account.client("codeconnections")
    arn = client.create_connection(ConnectionName="digits-github", ProviderType="GitHub")["ConnectionArn"]
    try:
        factory.pipeline_role = make_role(
            "codepipeline.amazonaws.com", "codeconnections:UseConnection", "s3:PutObject"
        )
        factory.create(
            {"Source": [connected(arn)]},
            {"Approval": [approval()]},
            triggers=[git_trigger("CodeStarSourceConnection")],
        )
        eventually(lambda: factory.statuses() == ["Failed"])
        connections: Any = account.services["codeconnections"]
        assert connections.complete("digits-github", folder) == arn
        triggers = GitTriggers(account)
        triggers.look()
        commit("docs/notes.md")
        triggers.look()
        git("switch", "--quiet", "--create", "feature")
        commit("ml_code/model.yaml")
        triggers.look()
        assert len(factory.executions()) == 1
        git("switch", "--quiet", "main")
        pushed = commit("ml_code/model.yaml")
        commit_after = commit("docs/more.md")
        git("update-ref", "refs/heads/main", pushed)
        triggers.look()
        eventually(lambda: factory.latest("Approval", "Manual").get("token"))
        newest = factory.executions()[-1]
        assert newest["trigger"]["triggerType"] == "WebhookV2"
        assert [each["revisionId"] for each in newest["sourceRevisions"]] == [pushed]
        git("update-ref", "refs/heads/main", commit_after)
        triggers.look()
        assert len(factory.executions()) == 2
        action_record = factory.action("CodeStarSourceConnection")
        assert action_record["output"]["outputVariables"]["CommitId"] == pushed
        assert action_record["output"]["outputVariables"]["FullRepositoryName"] == "acme/digits"
    finally:
        client.delete_connection(ConnectionArn=arn)


def test_a_request_token_starts_one_execution(factory: Factory) -> None:
    factory.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    variables = [{"name": "TriggerReason", "defaultValue": "manual"}]
    factory.create({"Source": [source(factory.name)]}, {"Approval": [approval()]}, variables=variables)
    given = [{"name": "TriggerReason", "value": "new data"}]
    first = factory.start(clientRequestToken="once", variables=given)
    assert factory.start(clientRequestToken="once", variables=given) == first
    assert factory.start(clientRequestToken="twice", variables=given) != first
    assert len(factory.executions()) == 3


def test_unresolved_variable_fails_the_action(factory: Factory, eventually: Wait) -> None:
    factory.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    factory.create(
        {"Source": [source(factory.name)]},
        {"Build": [build(factory.name, namespace="Build")]},
        {"Approval": [approval("#{Build.MODEL_VERSION}")]},
    )
    eventually(lambda: factory.statuses() == ["Failed"])
    assert "#{Build.MODEL_VERSION}" in factory.latest("Approval", "Manual")["errorDetails"]["message"]


def test_a_newer_execution_supersedes_one_that_waits(factory: Factory, eventually: Wait) -> None:
    factory.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    factory.create(
        {"Source": [source(factory.name)]}, {"Approval": [approval()]}, {"Build": [build(factory.name)]}
    )
    eventually(lambda: factory.latest("Approval", "Manual").get("token"))
    second = factory.start()
    eventually(
        lambda: factory.stage("Approval").get("inboundExecution", {}).get("pipelineExecutionId") == second
    )
    third = factory.start()
    eventually(lambda: factory.statuses() == ["InProgress", "Superseded", "InProgress"])
    factory.approve("Approval")
    eventually(
        lambda: (
            factory.stage("Approval")["latestExecution"]
            == {
                "pipelineExecutionId": third,
                "status": "InProgress",
                "type": "STANDARD",
            }
        )
    )
    eventually(lambda: factory.latest("Approval", "Manual").get("token"))
    factory.approve("Approval", "Rejected")
    eventually(lambda: factory.statuses() == ["Succeeded", "Superseded", "Failed"])


def test_queued_executions_all_run_in_their_order(factory: Factory, eventually: Wait) -> None:
    factory.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    factory.create({"Source": [source(factory.name)]}, {"Approval": [approval()]}, executionMode="QUEUED")
    eventually(lambda: factory.latest("Approval", "Manual").get("token"))
    second, third = factory.start(), factory.start()
    eventually(lambda: len(factory.stage("Approval")["inboundExecutions"]) == 2)
    inbound = [each["pipelineExecutionId"] for each in factory.stage("Approval")["inboundExecutions"]]
    assert inbound == [second, third]


def test_a_disabled_transition_holds_the_execution(factory: Factory, eventually: Wait) -> None:
    factory.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    factory.create(
        {"Source": [source(factory.name)]}, {"Approval": [approval()]}, {"Build": [build(factory.name)]}
    )
    transition = {"pipelineName": factory.name, "stageName": "Build", "transitionType": "Inbound"}
    factory.client.disable_stage_transition(**transition, reason="frozen")
    eventually(lambda: factory.latest("Approval", "Manual").get("token"))
    factory.approve("Approval")
    eventually(lambda: "inboundExecution" in factory.stage("Build"))
    assert factory.stage("Build")["inboundTransitionState"]["disabledReason"] == "frozen"
    factory.client.enable_stage_transition(**transition)
    eventually(lambda: factory.statuses() == ["Succeeded"])


def test_stop_and_abandon_then_retry(factory: Factory, eventually: Wait) -> None:
    factory.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    factory.create({"Source": [source(factory.name)]}, {"Approval": [approval()]})
    eventually(lambda: factory.latest("Approval", "Manual").get("token"))
    execution = factory.executions()[0]["pipelineExecutionId"]
    both = {"pipelineName": factory.name, "pipelineExecutionId": execution}
    factory.client.stop_pipeline_execution(**both, abandon=True, reason="enough")
    eventually(lambda: factory.statuses() == ["Stopped"])
    assert factory.latest("Approval", "Manual")["status"] == "Abandoned"
    factory.client.retry_stage_execution(**both, stageName="Approval", retryMode="FAILED_ACTIONS")
    eventually(lambda: factory.latest("Approval", "Manual").get("token"))
    factory.approve("Approval")
    eventually(lambda: factory.statuses() == ["Succeeded"])


def test_deleting_the_pipeline_stops_its_builds(factory: Factory, eventually: Wait, account: Account) -> None:
    factory.seed("version: 0.2\nphases: {build: {commands: [sleep 60]}}\n")
    factory.create({"Source": [source(factory.name)]}, {"Build": [build(factory.name)]})
    eventually(lambda: factory.latest("Build", "CodeBuild").get("externalExecutionId"))
    factory.client.delete_pipeline(name=factory.name)
    codebuild = account.client("codebuild")
    ids = codebuild.list_builds_for_project(projectName=factory.name)["ids"]
    eventually(lambda: codebuild.batch_get_builds(ids=ids)["builds"][0]["buildStatus"] == "STOPPED")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"executionMode": "PARALLEL"}, "PARALLEL"),
        ({"triggers": [git_trigger("CodeCommit")]}, "CodeCommit is no action of CodeStarSourceConnection"),
        (
            {
                "stages": [
                    {"name": "Source", "actions": [connected("arn:aws:codeconnections:x:1:connection/y")]},
                    {"name": "Approval", "actions": [approval()]},
                ],
                "triggers": [git_trigger("CodeStarSourceConnection", branch="feature/*")],
            },
            "for other branches than its BranchName main",
        ),
        ({"stages": [{"name": "Source", "actions": [source("r")]}]}, "at least two stages"),
        (
            {
                "stages": [
                    {"name": "Source", "actions": [source("r")]},
                    {"name": "Deploy", "actions": [action("Deploy", "S3")]},
                ]
            },
            "Deploy/AWS/S3/1",
        ),
        (
            {
                "stages": [
                    {"name": "Source", "actions": [source("r")]},
                    {"name": "Approval", "actions": [approval("#{Nowhere.X}")]},
                ]
            },
            "namespace Nowhere",
        ),
        (
            {
                "stages": [
                    {"name": "Source", "actions": [source("r")]},
                    {
                        "name": "Approval",
                        "actions": [approval()],
                        "onFailure": {"result": "ROLLBACK"},
                    },
                ]
            },
            "onFailure of stage Approval",
        ),
    ],
)
def test_unsupported_and_wrong_declarations_are_refused_by_name(
    factory: Factory, change: Json, error: str
) -> None:
    stages = [
        {"name": "Source", "actions": [source("r")]},
        {"name": "Approval", "actions": [approval()]},
    ]
    pipeline = {
        "name": "refused",
        "roleArn": factory.pipeline_role,
        "artifactStore": {"type": "S3", "location": BUCKET},
        "pipelineType": "V2",
        "stages": stages,
    }
    with pytest.raises(ClientError, match=error):
        factory.client.create_pipeline(pipeline={**pipeline, **change})
