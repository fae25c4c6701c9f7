"""The doctor finds what is planted in an account; docs/doctor.md shows what it says, `make snapshot` writes it anew."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from operations import assembly, doctor
from operations.assembly import Assembly
from operations.doctor import Finding, Status
from operations.factory import PROJECT
from tests.operations.toolkit import toolkit_template

if TYPE_CHECKING:
    from localaws.core.account import Account

PAGE = PROJECT / "docs/doctor.md"
SPOT = "ml.m5.large for spot training job usage"
pytestmark = pytest.mark.skipif(not shutil.which("cdk"), reason="the CDK command is not installed")


@pytest.fixture(scope="module")
def synthesised(local_aws: "Account") -> Assembly:
    """The app of cdk.json, by the real command, for us-east-1."""
    with pytest.MonkeyPatch.context() as shell:
        for name, value in local_aws.environment(local_aws.administrator).items():
            shell.setenv(name, value)
        return assembly.synthesise()


@pytest.fixture
def machine(account: "Account", monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of these versions, and a terminal of 80 columns."""
    monkeypatch.setattr(doctor, "python", lambda: Finding("Python", Status.OK, "3.12.11"))
    monkeypatch.setattr(doctor, "node", lambda: Finding("Node", Status.OK, "24.19.0"))
    monkeypatch.setattr(doctor, "cdk_command", lambda: Finding("CDK command", Status.OK, "2.1148.1"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["doctor"])


@pytest.fixture
def template(machine: None, synthesised: Assembly, monkeypatch: pytest.MonkeyPatch) -> Assembly:
    monkeypatch.setattr(assembly, "synthesise", lambda: synthesised)
    return synthesised


@pytest.fixture
def no_spot(local_aws: "Account") -> Iterator[None]:
    quotas = local_aws.services["sagemaker"].shared.quotas
    before = quotas.applied(SPOT)
    quotas.set_applied(SPOT, 0)
    yield
    quotas.set_applied(SPOT, before)


def check_transcript(title: str, text: str) -> None:
    """The block below the title is the text; UPDATE_SNAPSHOT writes it."""
    page = PAGE.read_text()
    block = re.compile(rf"(## {re.escape(title)}\n.*?```\n)(.*?)(```\n)", re.DOTALL)
    assert block.search(page), f"docs/doctor.md has no block below {title!r}"
    now = f"$ make doctor\n{text.rstrip()}\n"
    if os.environ.get("UPDATE_SNAPSHOT"):
        PAGE.write_text(block.sub(lambda found: found[1] + now + found[3], page, count=1))
    else:
        shown = block.search(page)
        assert shown
        assert shown[2] == now, "if the change is meant, run `make snapshot` and commit"


def test_an_empty_account(template: Assembly, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main() == 0
    check_transcript("An empty account", capsys.readouterr().out)


def test_a_bootstrap_of_somebody_else(
    template: Assembly, stacks: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stacks("AcmeToolkit", toolkit_template("acme", "acme-boundary"))
    assert doctor.main() == 1
    check_transcript("A bootstrap of somebody else", capsys.readouterr().out)


def test_a_quota_of_0(
    template: Assembly, stacks: Any, no_spot: None, capsys: pytest.CaptureFixture[str]
) -> None:
    stacks("CDKToolkit", toolkit_template("hnb659fds"))
    assert doctor.main() == 1
    check_transcript("A quota of 0", capsys.readouterr().out)


def test_a_region_that_lacks_a_service(
    machine: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "ap-southeast-4")
    assert doctor.main() == 1
    check_transcript("A region that lacks a service", capsys.readouterr().out)


def findings(*, status: Status = Status.FAULT) -> dict[str, Finding]:
    return {found.check: found for found in doctor.examine() if found.status is status}


def signed_in_as(monkeypatch: pytest.MonkeyPatch, name: str, *actions: str) -> None:
    """As a user with these actions, on everything."""
    iam = boto3.client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="actions", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])


def test_rights_that_the_caller_lacks(
    template: Assembly, stacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks("CDKToolkit", toolkit_template("hnb659fds"))
    with monkeypatch.context() as shell:
        looks = ("ssm:Get*", "cloudformation:Describe*", "iam:SimulatePrincipalPolicy", "servicequotas:*")
        signed_in_as(shell, "reader", *looks, "sagemaker:List*", "codecommit:List*")
        fault = findings()["rights to deploy"]
        assert "role/cdk-hnb659fds-deploy-role-123456789012-us-east-1" in fault.found
        assert "allow user/reader this" in fault.remedy
        warning = findings(status=Status.WARNING)["rights to operate"]
        assert "codepipeline:PutApprovalResult on arn:aws:codepipeline:us-east-1" in warning.found
    boto3.setup_default_session()


def test_what_may_not_be_looked_at_is_a_warning(template: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as shell:
        signed_in_as(shell, "blind", "sts:GetCallerIdentity")
        assert findings() == {}
        warnings = findings(status=Status.WARNING)
        assert warnings.keys() == doctor.CHECKS.keys()
        assert all("cannot be checked: " in warning.found for warning in warnings.values())
    boto3.setup_default_session()


def test_json_is_alone_on_stdout(
    template: Assembly, no_spot: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["doctor", "--json"])
    assert doctor.main() == 1
    report = json.loads(capsys.readouterr().out)
    assert report["faults"] == 1
    (fault,) = (found for found in report["findings"] if found["status"] == "fault")
    assert fault["check"] == "SageMaker quotas"
    assert f"{SPOT}: 0, 2 needed" in fault["found"]


def test_without_credentials_nothing_else_is_asked(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN")
    found = [*doctor.examine()]
    assert (found[-1].check, found[-1].status) == ("account", Status.FAULT)


def test_another_cdk_command_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_output", lambda *_: "3.0.0 (build 1)")
    found = doctor.cdk_command()
    assert (found.status, found.found) == (Status.FAULT, "3.0.0, pinned is 2.1148.1")
    assert doctor.node().status is Status.FAULT
