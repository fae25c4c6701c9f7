"""Executions of a pipeline, from their start to their end."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.services.codecommit.git_credential import git_configuration
from tests.services.codepipeline.delivery import (
    BUCKET,
    Delivery,
    Json,
    Wait,
    action,
    approval,
    build,
    connected,
    git_trigger,
    source,
)


def test_creation_runs_the_pipeline_with_artifacts_and_variables(
    delivery: Delivery, eventually: Wait
) -> None:
    delivery.seed(
        "version: 0.2\n"
        "env: {exported-variables: [MODEL_VERSION, SEEN]}\n"
        "phases: {build: {commands: ['MODEL_VERSION=3', 'SEEN=$GIVEN-$CODEBUILD_RESOLVED_SOURCE_VERSION']}}\n"
    )
    delivery.create(
        {"Source": [source(delivery.name)]},
        {"Build": [build(delivery.name, namespace="Build", GIVEN="#{SourceVariables.BranchName}")]},
        {"Approval": [approval("Version #{Build.MODEL_VERSION} of #{codepipeline.PipelineExecutionId}?")]},
    )
    eventually(lambda: delivery.latest("Approval", "Manual").get("token"))
    [execution] = delivery.executions()
    commit = execution["sourceRevisions"][0]["revisionId"]
    assert execution["trigger"]["triggerType"] == "CreatePipeline"
    assert delivery.action("CodeBuild")["output"]["outputVariables"] == {
        "MODEL_VERSION": "3",
        "SEEN": f"main-{commit}",
    }
    question = delivery.action("Manual")["input"]["resolvedConfiguration"]["CustomData"]
    assert question == f"Version 3 of {execution['pipelineExecutionId']}?"
    location = delivery.action("CodeCommit")["output"]["outputArtifacts"][0]["s3location"]
    assert f"{location['bucket']}/{location['key']}".startswith(f"{BUCKET}/{delivery.name[:20]}/Source/")
    delivery.approve("Approval")
    eventually(lambda: delivery.statuses() == ["Succeeded"])
    assert delivery.latest("Approval", "Manual")["summary"] == "looked at it"
    with pytest.raises(ClientError, match="ApprovalAlreadyCompletedException"):
        delivery.client.put_approval_result(
            pipelineName=delivery.name,
            stageName="Approval",
            actionName="Manual",
            result={"status": "Approved", "summary": ""},
            token="00000000-0000-4000-8000-000000000000",  # noqa: S106
        )


def test_a_push_starts_an_execution_of_the_pushed_commit(
    delivery: Delivery, eventually: Wait, account: Account, make_role: Callable[..., str], tmp_path: Path
) -> None:
    delivery.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    delivery.create({"Source": [source(delivery.name)]}, {"Build": [build(delivery.name)]})
    events = account.client("events")
    pattern = {"source": ["aws.codecommit"], "resources": [account.arn("codecommit", delivery.name)]}
    rule = events.put_rule(Name=delivery.name, EventPattern=json.dumps(pattern))["RuleArn"]
    target = {
        "Id": "Target0",
        "Arn": account.arn("codepipeline", delivery.name),
        "RoleArn": make_role("events.amazonaws.com", "codepipeline:StartPipelineExecution"),
    }
    events.put_targets(Rule=delivery.name, Targets=[target])
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
    url = f"{account.endpoint_url}/v1/repos/{delivery.name}"
    pushed = subprocess.run(
        ["sh", "-c", script, "sh", url],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    eventually(lambda: delivery.statuses()[1:] == ["Succeeded"])
    execution = delivery.executions()[1]
    assert execution["trigger"] == {"triggerType": "CloudWatchEvent", "triggerDetail": rule}
    assert execution["sourceRevisions"][0]["revisionId"] == pushed.stdout.strip()
    assert execution["sourceRevisions"][0]["revisionSummary"] == "Another try"


def test_failed_build_fails_the_execution_with_its_reason(delivery: Delivery, eventually: Wait) -> None:
    delivery.seed("version: 0.2\nphases: {build: {commands: [exit 2]}}\n")
    delivery.create(
        {"Source": [source(delivery.name)]}, {"Build": [build(delivery.name)]}, {"Approval": [approval()]}
    )
    eventually(lambda: delivery.statuses() == ["Failed"])
    details = delivery.latest("Build", "CodeBuild")["errorDetails"]
    assert details["code"] == "JobFailed"
    assert details["message"] == (
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: "
        "Error while executing command: exit 2. Reason: exit status 2"
    )
    assert delivery.stage("Build")["latestExecution"]["status"] == "Failed"
    assert delivery.latest("Approval", "Manual") == {}


def test_missing_permission_of_the_role_fails_the_action(
    delivery: Delivery, eventually: Wait, make_role: Callable[..., str]
) -> None:
    delivery.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    delivery.pipeline_role = make_role("codepipeline.amazonaws.com", "codecommit:*", "s3:*")
    delivery.create({"Source": [source(delivery.name)]}, {"Build": [build(delivery.name)]})
    eventually(lambda: delivery.statuses() == ["Failed"])
    details = delivery.latest("Build", "CodeBuild")["errorDetails"]
    assert details["code"] == "PermissionError"
    assert all(word in details["message"] for word in ("codebuild:StartBuild", delivery.name))


def test_a_request_token_starts_one_execution(delivery: Delivery) -> None:
    delivery.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    variables = [{"name": "TriggerReason", "defaultValue": "manual"}]
    delivery.create({"Source": [source(delivery.name)]}, {"Approval": [approval()]}, variables=variables)
    given = [{"name": "TriggerReason", "value": "new data"}]
    first = delivery.start(clientRequestToken="once", variables=given)
    assert delivery.start(clientRequestToken="once", variables=given) == first
    assert delivery.start(clientRequestToken="twice", variables=given) != first
    assert len(delivery.executions()) == 3


def test_unresolved_variable_fails_the_action(delivery: Delivery, eventually: Wait) -> None:
    delivery.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    delivery.create(
        {"Source": [source(delivery.name)]},
        {"Build": [build(delivery.name, namespace="Build")]},
        {"Approval": [approval("#{Build.MODEL_VERSION}")]},
    )
    eventually(lambda: delivery.statuses() == ["Failed"])
    assert "#{Build.MODEL_VERSION}" in delivery.latest("Approval", "Manual")["errorDetails"]["message"]


def test_a_newer_execution_supersedes_one_that_waits(delivery: Delivery, eventually: Wait) -> None:
    delivery.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    delivery.create(
        {"Source": [source(delivery.name)]}, {"Approval": [approval()]}, {"Build": [build(delivery.name)]}
    )
    eventually(lambda: delivery.latest("Approval", "Manual").get("token"))
    second = delivery.start()
    eventually(
        lambda: delivery.stage("Approval").get("inboundExecution", {}).get("pipelineExecutionId") == second
    )
    third = delivery.start()
    eventually(lambda: delivery.statuses() == ["InProgress", "Superseded", "InProgress"])
    delivery.approve("Approval")
    eventually(
        lambda: (
            delivery.stage("Approval")["latestExecution"]
            == {
                "pipelineExecutionId": third,
                "status": "InProgress",
                "type": "STANDARD",
            }
        )
    )
    eventually(lambda: delivery.latest("Approval", "Manual").get("token"))
    delivery.approve("Approval", "Rejected")
    eventually(lambda: delivery.statuses() == ["Succeeded", "Superseded", "Failed"])


def test_queued_executions_all_run_in_their_order(delivery: Delivery, eventually: Wait) -> None:
    delivery.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    delivery.create({"Source": [source(delivery.name)]}, {"Approval": [approval()]}, executionMode="QUEUED")
    eventually(lambda: delivery.latest("Approval", "Manual").get("token"))
    second, third = delivery.start(), delivery.start()
    eventually(lambda: len(delivery.stage("Approval")["inboundExecutions"]) == 2)
    inbound = [each["pipelineExecutionId"] for each in delivery.stage("Approval")["inboundExecutions"]]
    assert inbound == [second, third]


def test_a_disabled_transition_holds_the_execution(delivery: Delivery, eventually: Wait) -> None:
    delivery.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    delivery.create(
        {"Source": [source(delivery.name)]}, {"Approval": [approval()]}, {"Build": [build(delivery.name)]}
    )
    transition = {"pipelineName": delivery.name, "stageName": "Build", "transitionType": "Inbound"}
    delivery.client.disable_stage_transition(**transition, reason="frozen")
    eventually(lambda: delivery.latest("Approval", "Manual").get("token"))
    delivery.approve("Approval")
    eventually(lambda: "inboundExecution" in delivery.stage("Build"))
    assert delivery.stage("Build")["inboundTransitionState"]["disabledReason"] == "frozen"
    delivery.client.enable_stage_transition(**transition)
    eventually(lambda: delivery.statuses() == ["Succeeded"])


def test_stop_and_abandon_then_retry(delivery: Delivery, eventually: Wait) -> None:
    delivery.seed("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    delivery.create({"Source": [source(delivery.name)]}, {"Approval": [approval()]})
    eventually(lambda: delivery.latest("Approval", "Manual").get("token"))
    execution = delivery.executions()[0]["pipelineExecutionId"]
    both = {"pipelineName": delivery.name, "pipelineExecutionId": execution}
    delivery.client.stop_pipeline_execution(**both, abandon=True, reason="enough")
    eventually(lambda: delivery.statuses() == ["Stopped"])
    assert delivery.latest("Approval", "Manual")["status"] == "Abandoned"
    delivery.client.retry_stage_execution(**both, stageName="Approval", retryMode="FAILED_ACTIONS")
    eventually(lambda: delivery.latest("Approval", "Manual").get("token"))
    delivery.approve("Approval")
    eventually(lambda: delivery.statuses() == ["Succeeded"])


def test_deleting_the_pipeline_stops_its_builds(
    delivery: Delivery, eventually: Wait, account: Account
) -> None:
    delivery.seed("version: 0.2\nphases: {build: {commands: [sleep 60]}}\n")
    delivery.create({"Source": [source(delivery.name)]}, {"Build": [build(delivery.name)]})
    eventually(lambda: delivery.latest("Build", "CodeBuild").get("externalExecutionId"))
    delivery.client.delete_pipeline(name=delivery.name)
    codebuild = account.client("codebuild")
    ids = codebuild.list_builds_for_project(projectName=delivery.name)["ids"]
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
    delivery: Delivery, change: Json, error: str
) -> None:
    stages = [
        {"name": "Source", "actions": [source("r")]},
        {"name": "Approval", "actions": [approval()]},
    ]
    pipeline = {
        "name": "refused",
        "roleArn": delivery.pipeline_role,
        "artifactStore": {"type": "S3", "location": BUCKET},
        "pipelineType": "V2",
        "stages": stages,
    }
    with pytest.raises(ClientError, match=error):
        delivery.client.create_pipeline(pipeline={**pipeline, **change})
