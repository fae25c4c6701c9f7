from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localaws.core.account import Account
from localaws.services.codebuild.resources import ProjectResource

Json = dict[str, Any]
Run = Callable[..., Json]
LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")


@pytest.fixture
def run(account: Account, make_role: Callable[..., str], eventually: Callable[..., Any]) -> Iterator[Run]:
    """Run a buildspec and return the ended build with its log lines under "log"."""
    client = account.client("codebuild")
    role = make_role("codebuild.amazonaws.com", *LOGS, "ssm:GetParameters", "secretsmanager:GetSecretValue")
    projects: list[str] = []

    def ended_build(identifier: str) -> Json | None:
        build: Json = client.batch_get_builds(ids=[identifier])["builds"][0]
        return build if build["buildComplete"] else None

    def start(buildspec: str, *, variables: list[Json] | None = None, **overrides: Any) -> Json:
        name = f"project-{len(projects)}"
        projects.append(name)
        client.create_project(
            name=name,
            source={"type": "NO_SOURCE", "buildspec": buildspec},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/standard:7.0",
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": variables or [],
            },
            serviceRole=role,
        )
        build = client.start_build(projectName=name, **overrides)["build"]
        ended: Json = eventually(lambda: ended_build(build["id"]), seconds=20)
        events = account.client("logs").get_log_events(
            logGroupName=ended["logs"]["groupName"], logStreamName=ended["logs"]["streamName"]
        )["events"]
        return {**ended, "log": [event["message"].rstrip("\n") for event in events]}

    yield start
    for name in projects:
        client.delete_project(name=name)


def phases(build: Json) -> dict[str, str]:
    return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in build["phases"]}


def test_commands_share_directory_and_variables_across_phases(run: Run) -> None:
    build = run(
        "version: 0.2\n"
        "env: {exported-variables: [MODEL_VERSION]}\n"
        "phases:\n"
        "  pre_build: {commands: [mkdir deep, cd deep, 'MODEL_VERSION=7']}\n"
        "  build: {commands: ['basename $PWD', 'echo version $MODEL_VERSION']}\n"
    )
    assert build["buildStatus"] == "SUCCEEDED"
    assert "deep" in build["log"]
    assert "version 7" in build["log"]
    assert build["exportedEnvironmentVariables"] == [{"name": "MODEL_VERSION", "value": "7"}]
    assert list(phases(build)) == [
        "SUBMITTED",
        "QUEUED",
        "PROVISIONING",
        "DOWNLOAD_SOURCE",
        "INSTALL",
        "PRE_BUILD",
        "BUILD",
        "POST_BUILD",
        "UPLOAD_ARTIFACTS",
        "FINALIZING",
        "COMPLETED",
    ]


def test_failed_build_phase_still_runs_post_build(run: Run) -> None:
    build = run(
        "version: 0.2\n"
        "phases:\n"
        "  build: {commands: ['sh -c \"exit 3\"', echo never], finally: [echo cleanup]}\n"
        "  post_build: {commands: ['echo succeeding $CODEBUILD_BUILD_SUCCEEDING']}\n"
    )
    assert build["buildStatus"] == "FAILED"
    assert "cleanup" in build["log"]
    assert "succeeding 0" in build["log"]
    assert "never" not in build["log"]
    failed = next(phase for phase in build["phases"] if phase["phaseType"] == "BUILD")
    assert failed["contexts"] == [
        {
            "statusCode": "COMMAND_EXECUTION_ERROR",
            "message": 'Error while executing command: sh -c "exit 3". Reason: exit status 3',
        }
    ]


def test_failed_pre_build_ends_the_build(run: Run) -> None:
    build = run(
        "version: 0.2\nphases:\n  pre_build: {commands: ['false']}\n  build: {commands: [echo never]}\n"
    )
    assert build["buildStatus"] == "FAILED"
    assert "BUILD" not in phases(build)
    assert "never" not in build["log"]


def test_bad_buildspec_fails_download_source(run: Run) -> None:
    build = run("version: 0.2\nphases: {build: {commands: [a: b]}}\n")
    assert phases(build)["DOWNLOAD_SOURCE"] == "FAILED"
    assert build["phases"][3]["contexts"][0]["statusCode"] == "YAML_FILE_ERROR"


def test_variables_of_the_call_win_over_project_over_buildspec(run: Run) -> None:
    build = run(
        "version: 0.2\n"
        "env: {variables: {A: spec, B: spec, C: spec}}\n"
        "phases: {build: {commands: ['echo $A $B $C']}}\n",
        variables=[{"name": "B", "value": "project"}, {"name": "C", "value": "project"}],
        environmentVariablesOverride=[{"name": "C", "value": "call"}],
    )
    assert "spec project call" in build["log"]


def test_parameter_store_value_reaches_the_build_but_not_its_log(run: Run, account: Account) -> None:
    account.client("ssm").put_parameter(
        Name="/secret", Value="hush-hush", Type="SecureString", Overwrite=True
    )
    build = run(
        "version: 0.2\nphases: {build: {commands: ['echo ${#TOKEN} $TOKEN']}}\n",
        variables=[{"name": "TOKEN", "value": "/secret", "type": "PARAMETER_STORE"}],
    )
    assert "9 ***" in build["log"]


def test_build_has_its_roles_credentials_and_nothing_of_the_server(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SECRET", "1")
    monkeypatch.setenv("PIP_TIMEOUT", "7")
    build = run(
        "version: 0.2\n"
        "phases: {build: {commands: ['echo [$SERVER_SECRET] $PIP_TIMEOUT', 'aws sts get-caller-identity']}}\n"
    )
    assert "[] 7" in build["log"]
    assert any("assumed-role/delivery-role" in line for line in build["log"])


def test_timeout_ends_the_build_and_its_processes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localaws.services.codebuild.service.SECONDS_PER_MINUTE", 0.2)
    build = run("version: 0.2\nphases: {build: {commands: [sleep 30]}}\n", timeoutInMinutesOverride=5)
    assert build["buildStatus"] == "TIMED_OUT"
    assert phases(build)["BUILD"] == "TIMED_OUT"


def test_project_refuses_by_name_what_would_be_ignored(
    account: Account, make_role: Callable[..., str]
) -> None:
    properties = {
        "Name": "vpc",
        "ServiceRole": make_role("codebuild.amazonaws.com", *LOGS),
        "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2"},
        "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Environment": {"Type": "LINUX_CONTAINER", "Image": "i", "ComputeType": "BUILD_GENERAL1_SMALL"},
    }
    resource = ProjectResource()
    locations = [{"Identifier": "efs", "Location": "efs:/", "MountPoint": "/efs", "Type": "EFS"}]
    with pytest.raises(Exception, match="fileSystemLocations"):
        resource.create(account, "stack-Efs", {**properties, "FileSystemLocations": locations})
    with pytest.raises(ValueError, match=r"AWS::CodeBuild::Project\.Environment\.Colour"):
        resource.create(
            account,
            "stack-Vpc",
            {**properties, "Environment": {**properties["Environment"], "Colour": 1}},  # type: ignore[dict-item]
        )
