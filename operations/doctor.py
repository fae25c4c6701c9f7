"""Checks before a deployment: this machine, and the account that the shell points to. `make doctor` only reads."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from operations import assembly, bootstrap, quotas
from operations.account import Account, account_in_use
from operations.assembly import Assembly
from operations.bootstrap import ForeignBootstrapError
from operations.errors import OperationError, is_denied, run
from operations.factory import PROJECT
from operations.rights import denied
from operations.table import Row, print_table

PYTHON_MINIMUM = (3, 11)
NODE_MINIMUM = 20
# The alternative where CodeCommit cannot be used.
CONNECTION_HINT = 'in cdk.json, set "source": "github" (or gitlab, bitbucket) and "repository": "owner/name"'


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    check: str
    status: Status
    found: str
    remedy: str = ""


def python() -> Finding:
    version = platform.python_version()
    if sys.version_info < PYTHON_MINIMUM:
        return Finding("Python", Status.FAULT, version, "Use 3.11 or newer: make install PYTHON=python3.12")
    return Finding("Python", Status.OK, version)


def node() -> Finding:
    version = _output("node", "--version").removeprefix("v")
    if not version or int(version.split(".")[0]) < NODE_MINIMUM:
        found = version or "not found"
        return Finding("Node", Status.FAULT, found, f"Use {NODE_MINIMUM} or newer: make install brings one.")
    return Finding("Node", Status.OK, version)


def cdk_command() -> Finding:
    """Compare the CDK command's version with package.json's pin; the synthesis shows that it reads the assembly."""
    pinned = json.loads((PROJECT / "package.json").read_text())["dependencies"]["aws-cdk"]
    version = _output("cdk", "--version").split(" ")[0]
    if version != pinned:
        found = f"{version or 'not found'}, pinned is {pinned}"
        return Finding("CDK command", Status.FAULT, found, "make install, and no other cdk earlier on PATH")
    return Finding("CDK command", Status.OK, version)


def _output(*words: str) -> str:
    try:
        return subprocess.run(words, cwd=PROJECT, text=True, capture_output=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def check_bootstrap(account: Account, wanted: Assembly) -> Finding:
    try:
        found = bootstrap.find(wanted)
    except ForeignBootstrapError as error:
        return Finding("bootstrap", Status.FAULT, error.found, error.remedy)
    if found is None:
        words = " ".join(bootstrap.command(account, wanted))
        return Finding("bootstrap", Status.WARNING, "none", f"make deploy makes one: {words}")
    return Finding("bootstrap", Status.OK, str(found))


def check_rights(account: Account, wanted: Assembly) -> Finding:
    """Check the rights to assume the bootstrap's roles; without a bootstrap, those to make one."""
    roles = [("sts:AssumeRole", arn) for arn in wanted.role_arns(account)]
    making = [
        ("cloudformation:CreateChangeSet", "*"),
        ("ecr:CreateRepository", "*"),
        ("iam:CreateRole", "*"),
        ("s3:CreateBucket", "*"),
        ("ssm:PutParameter", "*"),
    ]
    if missing := denied(account, roles if _has_bootstrap(wanted) else making):
        lines = ", ".join(f"{action} on {resource}" for action, resource in missing)
        remedy = f"Let an administrator allow {account.caller_arn.rpartition(':')[2]} this."
        return Finding("rights to deploy", Status.FAULT, f"IAM does not allow {lines}", remedy)
    return Finding("rights to deploy", Status.OK, "IAM's simulation allows what the CDK command does itself")


def _has_bootstrap(wanted: Assembly) -> bool:
    try:
        return bootstrap.find(wanted) is not None
    except ForeignBootstrapError:
        return True


def check_operator_rights(account: Account, wanted: Assembly) -> Finding:
    """The rights that the caller needs for approve, verify and status."""
    name, where = wanted.stack_name, f"{account.region}:{account.id}"
    arn = f"arn:{account.partition}"
    needed = [
        ("cloudformation:DescribeStacks", f"{arn}:cloudformation:{where}:stack/{name}/*"),
        ("codepipeline:GetPipelineState", f"{arn}:codepipeline:{where}:{name}"),
        ("codepipeline:PutApprovalResult", f"{arn}:codepipeline:{where}:{name}/Approval/Approve"),
        ("sagemaker:InvokeEndpoint", f"{arn}:sagemaker:{where}:endpoint/{name}-production"),
    ]
    if missing := denied(account, needed):
        lines = ", ".join(f"{action} on {resource}" for action, resource in missing)
        return Finding(
            "rights to operate",
            Status.WARNING,
            f"IAM does not allow {lines}",
            "Others have to approve and verify.",
        )
    return Finding("rights to operate", Status.OK, "IAM's simulation allows to approve and to invoke")


def check_source(_account: Account, wanted: Assembly) -> Finding:
    if "AWS::CodeCommit::Repository" in wanted.resource_types:
        return _codecommit()
    for arn in wanted.connection_arns():
        client = boto3.client("codeconnections", region_name=arn.split(":")[3])
        status = client.get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"]
        if status != "AVAILABLE":
            remedy = "Accept it in the console: Developer Tools, Settings, Connections."
            return Finding("source", Status.FAULT, f"Connection {arn} is {status}", remedy)
        return Finding("source", Status.OK, f"connection {arn} is available")
    return Finding(
        "source",
        Status.WARNING,
        "the stack makes a connection",
        "It stays pending, and the first delivery fails, until you accept it in the console: Developer Tools, "
        "Settings, Connections.",
    )


def _codecommit() -> Finding:
    try:
        listed = boto3.client("codecommit").list_repositories()["repositories"]
    except ClientError as error:
        if is_denied(error) and "service control policy" not in str(error):
            raise
        return Finding(
            "source", Status.FAULT, f"CodeCommit cannot be used: {error}", f"Else {CONNECTION_HINT}."
        )
    return Finding("source", Status.OK, f"CodeCommit answers, repositories: {len(listed)}")


def check_mlflow(_account: Account, wanted: Assembly) -> Finding:
    sagemaker = boto3.client("sagemaker")
    if "AWS::SageMaker::MlflowApp" in wanted.resource_types:
        what, operation = "App", "list_mlflow_apps"
    elif "AWS::SageMaker::MlflowTrackingServer" in wanted.resource_types:
        what, operation = "tracking server", "list_mlflow_tracking_servers"
    else:
        return Finding("MLflow", Status.OK, "a container of the stack's own")
    try:
        getattr(sagemaker, operation)(MaxResults=1)
    except ClientError as error:
        if is_denied(error):
            raise
        remedy = 'In cdk.json, set "mlflow" to another of app, tracking-server, fargate.'
        return Finding("MLflow", Status.FAULT, f"SageMaker has no MLflow {what} here: {error}", remedy)
    return Finding("MLflow", Status.OK, f"SageMaker has the MLflow {what} here")


def check_quotas(_account: Account, wanted: Assembly) -> Finding:
    found = quotas.compare(wanted.quota_needs)
    if missing := [quota for quota in found if not quota.is_enough]:
        remedy = "make quotas YES=1 asks AWS for it, or choose another instance type or type of endpoint in cdk.json."
        return Finding("SageMaker quotas", Status.FAULT, "\n".join(map(str, missing)), remedy)
    return Finding("SageMaker quotas", Status.OK, "\n".join(map(str, found)))


Check = Callable[[Account, Assembly], Finding]
CHECKS: dict[str, Check] = {
    "bootstrap": check_bootstrap,
    "rights to deploy": check_rights,
    "rights to operate": check_operator_rights,
    "source": check_source,
    "MLflow": check_mlflow,
    "SageMaker quotas": check_quotas,
}


def examine() -> Iterator[Finding]:
    """All findings; without an account or a template the checks that need it are left out."""
    yield from (python(), node(), cdk_command())
    account, wanted = None, None
    try:
        account = account_in_use()
        yield Finding("account", Status.OK, f"{account.id}, as {account.caller_arn.rpartition(':')[2]}")
        yield Finding("region", Status.OK, account.region)
    except OperationError as error:
        yield Finding("account", Status.FAULT, str(error))
        return
    try:
        wanted = assembly.synthesise()
    except OperationError as error:
        yield Finding("template", Status.FAULT, str(error))
        return
    types = len(wanted.resource_types)
    found = f"{wanted.stack_name}, assembly {wanted.schema_version}, {types} resource types, all offered here"
    yield Finding("template", Status.OK, found)
    for name in CHECKS:
        yield attempt(name, account, wanted)


def attempt(name: str, account: Account, wanted: Assembly) -> Finding:
    """One check; an answer that AWS does not give is a finding, too."""
    try:
        return CHECKS[name](account, wanted)
    except ClientError as error:
        if is_denied(error):
            return Finding(name, Status.WARNING, f"cannot be checked: {error}", "Let who may look run it.")
        return Finding(name, Status.FAULT, str(error))
    except OperationError as error:
        return Finding(name, Status.WARNING, f"cannot be checked: {error}")
    except BotoCoreError as error:
        return Finding(
            name, Status.FAULT, str(error), "Is the service reachable from here, by proxy or network?"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="findings as JSON on stdout")
    arguments = parser.parse_args()
    findings = [*examine()]
    faults = sum(finding.status is Status.FAULT for finding in findings)
    if arguments.json:
        print(json.dumps({"faults": faults, "findings": [asdict(finding) for finding in findings]}, indent=1))
    else:
        title = "Not fit for a deployment" if faults else "Fit for a deployment"
        print_table(Console(), title, ("check", "status", "found, and what to do"), map(_row, findings))
    return 1 if faults else 0


def _row(finding: Finding) -> Row:
    remedy = f"\n→ {finding.remedy}" if finding.remedy else ""
    return finding.check, finding.status, f"{finding.found}{remedy}"


if __name__ == "__main__":
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "5")  # a service that does not answer is a finding, in seconds
    run(main)
