"""A delivery that failed shows its cause: CodePipeline's words, and the end of the log of the build."""

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from operations import delivery
from operations.failures import failure_lines

if TYPE_CHECKING:
    from localaws.core.account import Account

NAME = "failing"
BUILDSPEC = json.dumps(
    {
        "version": 0.2,
        "phases": {"build": {"commands": ["echo Step Tune failed: no such column: digit", "exit 3"]}},
    }
)


def make_role(service: str) -> str:
    iam, name = boto3.client("iam"), f"failing-{service.partition('.')[0]}"
    allow: dict[str, Any] = {"Effect": "Allow"}
    trust = {**allow, "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    rights = {"Version": "2012-10-17", "Statement": [{**allow, "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(rights))
    return arn


def make_pipeline(account: "Account", folder: Path) -> None:
    boto3.client("s3").create_bucket(Bucket=NAME)
    boto3.client("codecommit").create_repository(repositoryName=NAME)
    with zipfile.ZipFile(folder / "seed.zip", "w") as archive:
        archive.writestr("a", "1")
    account.services["codecommit"].seed(NAME, folder / "seed.zip", "main")
    boto3.client("codebuild").create_project(
        name=NAME,
        source={"type": "CODEPIPELINE", "buildspec": BUILDSPEC},
        artifacts={"type": "CODEPIPELINE"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=make_role("codebuild.amazonaws.com"),
    )

    def action(category: str, provider: str, configuration: dict[str, str], **more: Any) -> dict[str, Any]:
        kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
        return {"name": category, "actionTypeId": kind, "configuration": configuration, **more}

    source = action(
        "Source",
        "CodeCommit",
        {"RepositoryName": NAME, "BranchName": "main", "PollForSourceChanges": "false"},
        outputArtifacts=[{"name": "code"}],
    )
    build = action("Build", "CodeBuild", {"ProjectName": NAME}, inputArtifacts=[{"name": "code"}])
    boto3.client("codepipeline").create_pipeline(
        pipeline={  # type: ignore[arg-type, misc]
            "name": NAME,
            "pipelineType": "V2",
            "roleArn": make_role("codepipeline.amazonaws.com"),
            "artifactStore": {"type": "S3", "location": NAME},
            "stages": [{"name": "Source", "actions": [source]}, {"name": "Build", "actions": [build]}],
        }
    )


def test_a_failed_build_shows_the_end_of_its_log(account: "Account", tmp_path: Path) -> None:
    make_pipeline(account, tmp_path)
    execution = delivery.latest_execution_id(NAME)
    assert delivery.follow(NAME, execution, timeout_seconds=60) == "Failed"
    first, second, *log = failure_lines(NAME, execution)
    assert first.startswith("Build/Build failed: ")
    assert "exit status 3" in first
    assert second.startswith(f"The end of /aws/codebuild/{NAME} ")
    assert "  Step Tune failed: no such column: digit" in log
    assert not any("[Container]" in line for line in log)
