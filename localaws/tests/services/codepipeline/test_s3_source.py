"""Pipelines with an object in S3 as a source beside a repository, and builds of several artifacts."""

import io
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.core.account import Account
from tests.services.codepipeline.delivery import (
    BUCKET,
    Delivery,
    Json,
    Wait,
    action,
    approval,
    source,
)

KEY = "release/code.zip"
ROLE = (
    "codecommit:*",
    "codebuild:StartBuild",
    "codebuild:BatchGetBuilds",
    *("s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:GetBucketVersioning"),
    *("s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
)


def archive(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as target:
        for name, text in files.items():
            target.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def bucket(account: Account) -> Iterator[str]:
    """A versioned bucket, emptied afterwards."""
    s3, name = account.client("s3"), f"source-{time.monotonic_ns()}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield name
    listed = s3.list_object_versions(Bucket=name)
    for each in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
        s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
    s3.delete_bucket(Bucket=name)


def deployed(bucket: str, **configuration: str) -> Json:
    return action(
        "Source",
        "S3",
        namespace="Deployed",
        configuration={
            "S3Bucket": bucket,
            "S3ObjectKey": KEY,
            "PollForSourceChanges": "false",
            **configuration,
        },
        outputArtifacts=[{"name": "DeployedCode"}],
    )


def build_of_both(project: str, **configuration: str) -> Json:
    return action(
        "Build",
        "CodeBuild",
        configuration={"ProjectName": project, **configuration},
        inputArtifacts=[{"name": "Source"}, {"name": "DeployedCode"}],
    )


@pytest.fixture
def release(delivery: Delivery, make_role: Callable[..., str], bucket: str) -> Delivery:
    delivery.pipeline_role = make_role("codepipeline.amazonaws.com", *ROLE)
    delivery.seed("version: 0.2\nphases: {build: {commands: [exit 1]}}\n")
    return delivery


def details_of(delivery: Delivery, eventually: Wait) -> Any:
    eventually(lambda: delivery.statuses() == ["Failed"])
    return delivery.action("S3")["output"]["executionResult"]["errorDetails"]


def test_a_build_reads_a_pushed_commit_and_a_released_object(
    release: Delivery, account: Account, eventually: Wait, bucket: str
) -> None:
    put = account.client("s3").put_object(Bucket=bucket, Key=KEY, Body=archive(**{"who.txt": "released"}))
    inline = (
        "version: 0.2\n"
        "env: {exported-variables: [PRIMARY, PUSHED, AGAIN]}\n"
        "phases:\n"
        "  build:\n"
        "    commands:\n"
        "      - PRIMARY=$(cat $CODEBUILD_SRC_DIR/who.txt)\n"
        "      - PUSHED=$(cat $CODEBUILD_SRC_DIR_Source/build.yml | head -1)\n"
        '      - AGAIN="${CODEBUILD_SRC_DIR_DeployedCode:-none}"\n'
    )
    project = {"type": "CODEPIPELINE", "buildspec": inline}
    account.client("codebuild").update_project(name=release.name, source=project)
    release.create(
        {"Source": [source(release.name), deployed(bucket)]},
        {"Build": [build_of_both(release.name, PrimarySource="DeployedCode")]},
    )
    eventually(lambda: release.statuses() == ["Succeeded"])
    build = release.action("CodeBuild")["output"]["outputVariables"]
    assert build == {"PRIMARY": "released", "PUSHED": "version: 0.2", "AGAIN": "none"}
    assert release.action("S3")["output"]["outputVariables"] == {
        "BucketName": bucket,
        "ETag": put["ETag"].strip('"'),
        "ObjectKey": KEY,
        "VersionId": put["VersionId"],
    }
    assert {
        "AuthorDate",
        "BranchName",
        "CommitId",
        "CommitMessage",
        "CommitterDate",
        "RepositoryName",
    } == set(release.action("CodeCommit")["output"]["outputVariables"])
    execution = release.client.get_pipeline_execution(
        pipelineName=release.name, pipelineExecutionId=release.executions()[0]["pipelineExecutionId"]
    )["pipelineExecution"]
    revisions = {each["name"]: each for each in execution["artifactRevisions"]}
    assert revisions.keys() == {"Source", "DeployedCode"}
    assert revisions["DeployedCode"]["revisionId"] == put["VersionId"]
    assert revisions["DeployedCode"]["revisionSummary"] == f"Amazon S3 version id: {put['VersionId']}"
    assert {each["actionName"] for each in release.executions()[0]["sourceRevisions"]} == {"S3", "CodeCommit"}


def test_an_execution_may_be_started_with_an_older_version(
    release: Delivery, account: Account, eventually: Wait, bucket: str
) -> None:
    s3 = account.client("s3")
    first = s3.put_object(Bucket=bucket, Key=KEY, Body=archive(a="1"))["VersionId"]
    second = s3.put_object(Bucket=bucket, Key=KEY, Body=archive(a="2"))["VersionId"]
    release.create({"Source": [deployed(bucket)]}, {"Approval": [approval("#{Deployed.VersionId}")]})
    eventually(lambda: release.latest("Approval", "Manual").get("status") == "InProgress")
    assert release.action("Manual")["input"]["resolvedConfiguration"]["CustomData"] == second
    release.approve("Approval")
    revision = {"actionName": "S3", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": first}
    release.start(sourceRevisions=[revision])
    eventually(lambda: release.latest("Approval", "Manual").get("status") == "InProgress")
    assert release.action("Manual")["input"]["resolvedConfiguration"]["CustomData"] == first
    release.approve("Approval")
    with pytest.raises(ClientError, match="takes a revision of type S3_OBJECT_VERSION_ID"):
        release.start(sourceRevisions=[{**revision, "revisionType": "COMMIT_ID"}])
    with pytest.raises(ClientError, match="no source action Elsewhere"):
        release.start(sourceRevisions=[{**revision, "actionName": "Elsewhere"}])


def test_a_bucket_without_versions_is_refused(release: Delivery, account: Account, eventually: Wait) -> None:
    account.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=archive(a="1"))
    release.create({"Source": [deployed(BUCKET)]}, {"Approval": [approval()]})
    error = details_of(release, eventually)
    assert error["code"] == "ConfigurationError"
    assert f"bucket {BUCKET} is not versioned" in error["message"]


@pytest.mark.parametrize(
    ("more", "code"), [(["s3:ListBucket"], "ConfigurationError"), ([], "PermissionError")]
)
def test_a_missing_object_is_named_to_who_may_list_the_bucket(
    release: Delivery,
    eventually: Wait,
    make_role: Callable[..., str],
    bucket: str,
    more: list[str],
    code: str,
) -> None:
    release.pipeline_role = make_role("codepipeline.amazonaws.com", *ROLE, *more)
    release.create({"Source": [deployed(bucket)]}, {"Approval": [approval()]})
    error = details_of(release, eventually)
    assert error["code"] == code
    assert bucket in error["message"]
    assert ("has no object with the key " + KEY in error["message"]) == bool(more)


@pytest.mark.parametrize("missing", [each for each in ROLE if each.startswith("s3:")])
def test_each_right_of_the_documented_list_is_asked_for(
    release: Delivery,
    account: Account,
    eventually: Wait,
    make_role: Callable[..., str],
    bucket: str,
    missing: str,
) -> None:
    account.client("s3").put_object(Bucket=bucket, Key=KEY, Body=archive(a="1"))
    actions = [each for each in ROLE if each != missing]
    release.pipeline_role = make_role("codepipeline.amazonaws.com", *actions)
    release.create({"Source": [deployed(bucket)]}, {"Approval": [approval()]})
    error = details_of(release, eventually)
    assert error["code"] == "PermissionError"
    assert missing in error["message"]


def test_what_is_no_archive_fails_the_build(
    release: Delivery, account: Account, eventually: Wait, bucket: str
) -> None:
    account.client("s3").put_object(Bucket=bucket, Key=KEY, Body=b"no zip")
    release.create(
        {"Source": [source(release.name), deployed(bucket)]},
        {"Build": [build_of_both(release.name, PrimarySource="Source")]},
    )
    eventually(lambda: release.statuses() == ["Failed"])
    error = release.latest("Build", "CodeBuild")["errorDetails"]
    assert "Phase: DOWNLOAD_SOURCE, Code: CLIENT_ERROR" in error["message"]
    assert "zip: not a valid zip file" in error["message"]


@pytest.mark.parametrize(
    ("actions", "error"),
    [
        ([build_of_both("p")], "'CodeBuild' is missing required configuration 'PrimarySource'"),
        (
            [build_of_both("p", PrimarySource="Other")],
            "one of its input artifacts, Source, DeployedCode, not Other",
        ),
        (
            [{**build_of_both("p", PrimarySource="Source"), "inputArtifacts": [{"name": "Other"}]}],
            "one of its input artifacts, Other, not Source",
        ),
        ([{**build_of_both("p"), "inputArtifacts": []}], "has 0 inputArtifacts; CodeBuild takes 1 to 5"),
        ([{**approval(), "inputArtifacts": [{"name": "Source"}]}], "has 1 inputArtifacts; Manual takes 0"),
    ],
)
def test_wrong_artifacts_are_refused(release: Delivery, actions: list[Json], error: str) -> None:
    with pytest.raises(ClientError, match=error):
        release.create({"Source": [source("r"), deployed("b")]}, {"Build": actions})


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"outputArtifacts": []}, "has 0 outputArtifacts; S3 takes 1"),
        ({"configuration": {"S3Bucket": "b"}}, "'S3' is missing required configuration 'S3ObjectKey'"),
        ({"configuration": {"S3Bucket": "b", "S3ObjectKey": "k"}}, "polling"),
    ],
)
def test_wrong_sources_are_refused(release: Delivery, change: Json, error: str) -> None:
    with pytest.raises(ClientError, match=error):
        release.create({"Source": [{**deployed("b"), **change}]}, {"Approval": [approval()]})


@pytest.mark.parametrize("mode", ["ALL_ACTIONS", "FAILED_ACTIONS"])
def test_a_source_stage_that_is_retried_has_each_revision_once(
    release: Delivery, account: Account, eventually: Wait, bucket: str, mode: str
) -> None:
    release.create({"Source": [source(release.name), deployed(bucket)]}, {"Approval": [approval()]})
    eventually(lambda: release.statuses() == ["Failed"])
    version = account.client("s3").put_object(Bucket=bucket, Key=KEY, Body=archive(a="1"))["VersionId"]
    execution = {
        "pipelineName": release.name,
        "pipelineExecutionId": release.executions()[0]["pipelineExecutionId"],
    }
    release.client.retry_stage_execution(**execution, stageName="Source", retryMode=mode)
    eventually(lambda: release.latest("Approval", "Manual").get("status") == "InProgress")
    record = release.client.get_pipeline_execution(**execution)["pipelineExecution"]
    revisions = [(each["name"], each["revisionId"]) for each in record["artifactRevisions"]]
    assert sorted(name for name, _ in revisions) == ["DeployedCode", "Source"]
    assert ("DeployedCode", version) in revisions
    actions = [each["actionName"] for each in release.executions()[0]["sourceRevisions"]]
    assert sorted(actions) == ["CodeCommit", "S3"]
    release.approve("Approval")
