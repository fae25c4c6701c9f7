"""What the actions of a pipeline do: fetch a commit, run a build, wait for an approval."""

import json
import secrets
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Credentials
from localaws.services.codebuild.build import BuildRun, BuildWork, S3Object
from localaws.services.codebuild.service import CodeBuild
from localaws.services.codecommit.git import git, git_bytes
from localaws.services.codecommit.service import CodeCommit
from localaws.services.codeconnections.service import CodeConnections
from localaws.services.iam.authorization import authorize, find_principal

_POLL_SECONDS = 0.1
_APPROVAL_TIMEOUT = timedelta(days=7)


class ActionFailure(Exception):
    """An action failed; `code` and `message` are its errorDetails."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Abandoned(Exception):
    """The execution was stopped without waiting for its actions."""


@dataclass
class ActionRun:
    """One action under way. `execution` and `result` are parts of its record in the API's shape."""

    account: Account
    pipeline: str
    stage: str
    declaration: Json
    configuration: Mapping[str, str]  # resolved
    credentials: Credentials
    bucket: str
    inputs: Mapping[str, S3Object]
    revision: str | None  # of the source that the execution works on; for a source action, the one asked for
    abandoned: Callable[[], bool]
    record: Json
    variables: dict[str, str] = field(default_factory=dict)
    source_revision: Json | None = None
    build: BuildRun | None = None

    def output(self, name: str) -> S3Object:
        """Where an output artifact goes: AWS, too, cuts the names."""
        return S3Object(self.bucket, f"{self.pipeline[:20]}/{name[:10]}/{secrets.token_hex(4)[:7]}")

    def outputs(self) -> dict[str, S3Object]:
        return {
            artifact["name"]: self.output(artifact["name"])
            for artifact in self.declaration.get("outputArtifacts", [])
        }

    def require(self, action: str, resource: str) -> None:
        """Raises ServiceError unless the role of the action allows it."""
        principal = find_principal(self.credentials.access_key_id, self.credentials.session_token)
        assert principal is not None, "the role of an action has just been assumed"
        authorize(principal, action, resource)

    def external(self, **members: str) -> None:
        """externalExecutionId=…, externalExecutionSummary=…, externalExecutionUrl=…"""
        self.record["output"]["executionResult"].update(members)


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
    _record_commit(run, commit_id, message, url)
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
        _put(run, target, git_bytes(repository, "archive", "--format=zip", commit_id))
    url = (
        f"https://{run.account.region}.console.aws.amazon.com/codesuite/settings/connections/redirect?connectionArn="
        f"{arn}&referenceType=COMMIT&FullRepositoryId={name}&Commit={commit_id}"
    )
    _record_commit(run, commit_id, message.strip(), url)
    return outputs


def _record_commit(run: ActionRun, commit_id: str, message: str, url: str) -> None:
    run.external(externalExecutionId=commit_id, externalExecutionSummary=message, externalExecutionUrl=url)
    run.source_revision = {
        "actionName": run.declaration["name"],
        "revisionId": commit_id,
        "revisionSummary": message,
        "revisionUrl": url,
    }


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
    while not build.ended.wait(_POLL_SECONDS):
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


@dataclass
class Approval:
    """What a person decides on; `answer` is called once, by PutApprovalResult."""

    token: str = field(default_factory=lambda: str(uuid4()))
    answered: threading.Event = field(default_factory=threading.Event)
    approved: bool = False
    summary: str = ""
    by: str = ""

    def answer(self, *, approved: bool, summary: str, by: str) -> None:
        self.approved, self.summary, self.by = approved, summary, by
        self.answered.set()


def wait_for_approval(run: ActionRun, approval: Approval) -> dict[str, S3Object]:
    minutes = run.declaration.get("timeoutInMinutes")
    expires = datetime.now(UTC) + (timedelta(minutes=minutes) if minutes else _APPROVAL_TIMEOUT)
    if "NotificationArn" in run.configuration:
        _notify(run, approval, expires)
    while not approval.answered.wait(_POLL_SECONDS):
        if run.abandoned():
            raise Abandoned
        if datetime.now(UTC) > expires:
            raise ActionFailure("JobFailed", "The approval action timed out: nobody approved or rejected it.")
    run.record["updatedBy"] = approval.by
    run.external(externalExecutionSummary=approval.summary)
    if not approval.approved:
        raise ActionFailure("JobFailed", f"Rejected by {approval.by}. {approval.summary}".strip())
    return {}


def _notify(run: ActionRun, approval: Approval, expires: datetime) -> None:
    names = {"ExternalEntityLink": "externalEntityLink", "CustomData": "customData"}
    message = {
        "region": run.account.region,
        "approval": {
            "pipelineName": run.pipeline,
            "stageName": run.stage,
            "actionName": run.declaration["name"],
            "token": approval.token,
            "expires": f"{expires:%Y-%m-%dT%H:%MZ}",
            **{name: run.configuration[key] for key, name in names.items() if key in run.configuration},
        },
    }
    try:
        run.account.client("sns", run.credentials).publish(
            TopicArn=run.configuration["NotificationArn"],
            Subject=f"APPROVAL NEEDED: AWS CodePipeline {run.pipeline} for action {run.declaration['name']}"[
                :100
            ],
            Message=json.dumps(message),
        )
    except ClientError as error:
        raise ActionFailure("PermissionError", str(error)) from error


def _put(run: ActionRun, target: S3Object, content: bytes) -> None:
    try:
        run.account.client("s3", run.credentials).put_object(
            Bucket=target.bucket, Key=target.key, Body=content
        )
    except ClientError as error:
        raise ActionFailure(
            "PermissionError",
            f"The provided role does not have sufficient permissions to upload the artifact: {error}",
        ) from error


def _iso(git_date: str) -> str:
    """From git's raw date, "1700000000 +0100"."""
    return f"{datetime.fromtimestamp(int(git_date.split()[0]), UTC):%Y-%m-%dT%H:%M:%SZ}"
