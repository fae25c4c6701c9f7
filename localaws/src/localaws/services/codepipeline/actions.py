"""Actions of a pipeline: fetch a commit or an object, run a build."""

import json
import subprocess
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from localaws.core.errors import Json, ServiceError
from localaws.services.codebuild.service import CodeBuild
from localaws.services.codebuild.work import BuildWork, S3Object
from localaws.services.codecommit.git import git, git_bytes
from localaws.services.codecommit.service import CodeCommit
from localaws.services.codeconnections.service import CodeConnections
from localaws.services.codepipeline.action_run import POLL_SECONDS, Abandoned, ActionFailure, ActionRun
from localaws.services.codepipeline.s3_source import fetch_object


def fetch_commit(run: ActionRun) -> dict[str, S3Object]:
    service = run.account.services["codecommit"]
    assert isinstance(service, CodeCommit)
    name, branch = run.configuration["RepositoryName"], run.configuration["BranchName"]
    arn = run.account.arn("codecommit", name)
    try:
        for verb in ("GetBranch", "GetCommit", "UploadArchive", "GetUploadArchiveStatus"):
            run.require(f"codecommit:{verb}", arn)
        head = service.get_branch({"repositoryName": name, "branchName": branch})["branch"]["commitId"]
        commit = service.get_commit({"repositoryName": name, "commitId": run.revision or head})["commit"]
    except ServiceError as error:
        if error.code == "AccessDenied":
            raise ActionFailure(
                "PermissionError",
                "The service role or action role doesn't have the permissions required to access the AWS CodeCommit"
                f" repository named {name}. Update the IAM role permissions, and then try again. Error:"
                f" {error.message}",
            ) from error
        raise ActionFailure("ConfigurationError", error.message) from error
    commit_id, message = commit["commitId"], commit["message"].strip()
    outputs = run.outputs()
    content = service.archive(name, commit_id)
    for target in outputs.values():
        _put(run, target, content)
    run.variables.update(
        CommitId=commit_id,
        CommitMessage=message,
        RepositoryName=name,
        BranchName=branch,
        AuthorDate=_iso(commit["author"]["date"]),
        CommitterDate=_iso(commit["committer"]["date"]),
    )
    url = (
        f"https://{run.account.region}.console.aws.amazon.com/codesuite/codecommit/repositories/{name}/commit/"
        f"{commit_id}?region={run.account.region}"
    )
    run.record_source(commit_id, message, url)
    return outputs


def fetch_by_connection(run: ActionRun) -> dict[str, S3Object]:
    arn, name = run.configuration["ConnectionArn"], run.configuration["FullRepositoryId"]
    service = run.account.services["codeconnections"]
    assert isinstance(service, CodeConnections)
    try:
        run.require(f"{arn.split(':')[2]}:UseConnection", arn)
        connection = service.get_connection({"ConnectionArn": arn})["Connection"]
    except ServiceError as error:
        code = "PermissionError" if error.code == "AccessDenied" else "ConfigurationError"
        raise ActionFailure(code, f"Unable to use Connection: {arn}. {error.message}") from error
    provider = connection["ProviderType"]
    if connection["ConnectionStatus"] != "AVAILABLE":
        raise ActionFailure(
            "ConfigurationError",
            f"[{provider}] Connection {arn} is not available: its status is {connection['ConnectionStatus']}. On AWS a "
            f"person completes it in the console, here `python -m localaws connect {connection['ConnectionName']} "
            f"FOLDER`, where FOLDER/{name} is a git repository.",
        )
    repository, branch = service.find_repository(run.configuration), run.configuration["BranchName"]
    if repository is None:
        raise ActionFailure("ConfigurationError", f"[{provider}] No repository {name} found.")
    try:
        revision = run.revision or f"refs/heads/{branch}"
        fields = git(repository, "show", "--no-patch", "--format=%H%x00%aI%x00%an%x00%ae%x00%B", revision)
    except subprocess.CalledProcessError as error:
        raise ActionFailure(
            "ConfigurationError", f"[{provider}] No Branch [{branch}] found for FullRepositoryName [{name}]"
        ) from error
    commit_id, date, author, email, message = fields.split("\0")
    run.variables.update(
        CommitId=commit_id,
        CommitMessage=message.strip(),
        AuthorDate=date,
        AuthorDisplayName=author,
        AuthorEmail=email,
        BranchName=branch,
        FullRepositoryName=name,
        ConnectionArn=arn,
    )
    outputs = run.outputs()
    for target in outputs.values():
        _require_store(run, target)
        _put(run, target, git_bytes(repository, "archive", "--format=zip", commit_id))
    url = (
        f"https://{run.account.region}.console.aws.amazon.com/codesuite/settings/connections/redirect?connectionArn="
        f"{arn}&referenceType=COMMIT&FullRepositoryId={name}&Commit={commit_id}"
    )
    run.record_source(commit_id, message.strip(), url)
    return outputs


def fetch_from_s3(run: ActionRun) -> dict[str, S3Object]:
    outputs, content = fetch_object(run)
    for target in outputs.values():
        _put(run, target, content)
    return outputs


def run_build(run: ActionRun) -> dict[str, S3Object]:
    service = run.account.services["codebuild"]
    assert isinstance(service, CodeBuild)
    project = run.configuration["ProjectName"]
    outputs = run.outputs()
    primary = run.configuration.get("PrimarySource", next(iter(run.inputs)))
    sources = {primary: run.inputs[primary], **run.inputs}
    try:
        for verb in ("StartBuild", "BatchGetBuilds"):
            run.require(f"codebuild:{verb}", run.account.arn("codebuild", f"project/{project}"))
        build = service.start_for_pipeline(
            project,
            BuildWork(sources=sources, outputs=outputs),
            pipeline=run.pipeline,
            variables=json.loads(run.configuration.get("EnvironmentVariables", "[]")),
            revision=run.revision,
        )
    except ServiceError as error:
        code = "PermissionError" if error.code == "AccessDenied" else "ConfigurationError"
        raise ActionFailure(code, f"Error calling startBuild: {error.message}") from error
    run.build = build
    identifier = build.record["id"]
    run.external(
        externalExecutionId=identifier,
        externalExecutionUrl=f"https://console.aws.amazon.com/codebuild/home?region={run.account.region}#/builds/"
        f"{identifier}/view/new",
    )
    while not build.ended.wait(POLL_SECONDS):
        if run.abandoned():
            raise Abandoned
    record = build.record
    run.variables.update(
        {item["name"]: item["value"] for item in record.get("exportedEnvironmentVariables", [])}
    )
    if record["buildStatus"] != "SUCCEEDED":
        summary = f"Build terminated with state: {record['buildStatus']}"
        run.external(externalExecutionSummary=summary)
        raise ActionFailure("JobFailed", summary + _failed_phase(record))
    return outputs


def _failed_phase(build: Json) -> str:
    for phase in build["phases"]:
        if phase.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED":
            context = phase["contexts"][0]
            return (
                f". Phase: {phase['phaseType']}, Code: {context['statusCode']}, Message: {context['message']}"
            )
    return ""


def _require_store(run: ActionRun, target: S3Object) -> None:
    """A connection's archive comes with an ACL, after a look at the bucket's (aws-cdk#13557)."""
    bucket = f"arn:aws:s3:::{target.bucket}"
    try:
        for verb in ("GetBucketAcl", "GetBucketVersioning"):
            run.require(f"s3:{verb}", bucket)
        run.require("s3:PutObjectAcl", f"{bucket}/{target.key}")
    except ServiceError as error:
        raise _no_upload(error) from error


def _no_upload(error: Exception) -> ActionFailure:
    text = "The provided role does not have sufficient permissions to upload the artifact"
    return ActionFailure("PermissionError", f"{text}: {error}")


def _put(run: ActionRun, target: S3Object, content: bytes) -> None:
    try:
        run.account.client("s3", run.credentials).put_object(
            Bucket=target.bucket, Key=target.key, Body=content
        )
    except ClientError as error:
        raise _no_upload(error) from error


def _iso(git_date: str) -> str:
    """The ISO 8601 text of git's raw date, such as "1700000000 +0100"."""
    return f"{datetime.fromtimestamp(int(git_date.split()[0]), UTC):%Y-%m-%dT%H:%M:%SZ}"
