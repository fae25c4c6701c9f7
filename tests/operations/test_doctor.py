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
from botocore.stub import Stubber

from operations import assembly, doctor
from operations.account import Account as InUse
from operations.assembly import Assembly
from operations.doctor import Finding, Status
from operations.factory import PROJECT
from tests.operations.toolkit import toolkit_template

if TYPE_CHECKING:
    from localaws.core.account import Account

ACCOUNT = InUse(
    id="123456789012", region="eu-west-1", partition="aws", caller_arn="arn:aws:iam::123456789012:user/ada"
)
PAGE = PROJECT / "docs/doctor.md"
SPOT = "ml.m5.large for spot training job usage"
pytestmark = pytest.mark.skipif(not shutil.which("cdk"), reason="the CDK command is not installed")


@pytest.fixture(scope="module")
def synthesised(local_aws: "Account") -> Assembly:
    """The app of cdk.json, by the real command, for us-east-1."""
    with pytest.MonkeyPatch.context() as shell:
        for name, value in local_aws.environment(local_aws.administrator).items():
            shell.setenv(name, value)
        shell.setenv("CDK_VALIDATION", "false")  # seconds, for what tests/options validates
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


@pytest.mark.slow
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


def answering(monkeypatch: pytest.MonkeyPatch, service: Any) -> Stubber:
    """The client of the service that the doctor gets, with answers of its own."""
    keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
    client = boto3.client(service, region_name="eu-west-1", **keys)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    return Stubber(client)


def with_types(*types: str, connection_arn: str = "") -> Assembly:
    source = {"Configuration": {"ConnectionArn": connection_arn or {"Ref": "Connection"}}}
    resources: dict[str, Any] = {type_: {"Type": type_} for type_ in types}
    pipeline = {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"Stages": [{"Actions": [source]}]}}
    return Assembly("55.0.0", "digits", {"Resources": {**resources, "Pipeline": pipeline}}, {}, {})


@pytest.mark.parametrize(
    ("code", "message", "status"),
    [
        ("OperationNotAllowedException", "no existing repository in this AWS account", Status.FAULT),
        ("AccessDeniedException", "with an explicit deny in a service control policy", Status.FAULT),
        ("AccessDeniedException", "because no identity-based policy allows", Status.WARNING),
    ],
)
def test_codecommit_that_refuses_the_account(
    monkeypatch: pytest.MonkeyPatch, code: str, message: str, status: Status
) -> None:
    wanted = with_types("AWS::CodeCommit::Repository")
    with answering(monkeypatch, "codecommit") as stub:
        stub.add_client_error("list_repositories", code, message)
        found = doctor.attempt("source", ACCOUNT, wanted)
    assert found.status is status
    assert message in found.found
    assert ('"source": "github"' in found.remedy) == (status is Status.FAULT)


@pytest.mark.parametrize(("state", "status"), [("AVAILABLE", Status.OK), ("PENDING", Status.FAULT)])
def test_a_connection_of_one_s_own(monkeypatch: pytest.MonkeyPatch, state: str, status: Status) -> None:
    arn = "arn:aws:codeconnections:eu-west-1:123456789012:connection/0a1b"
    with answering(monkeypatch, "codeconnections") as stub:
        answer = {"Connection": {"ConnectionStatus": state}}
        stub.add_response("get_connection", answer, {"ConnectionArn": arn})
        assert doctor.attempt("source", ACCOUNT, with_types(connection_arn=arn)).status is status


def test_a_connection_of_the_stack_s_is_to_be_accepted() -> None:
    found = doctor.attempt("source", ACCOUNT, with_types())
    assert (found.status, "accept it in the console" in found.remedy) == (Status.WARNING, True)


@pytest.mark.parametrize(
    ("type_", "operation"),
    [
        ("AWS::SageMaker::MlflowApp", "list_mlflow_apps"),
        ("AWS::SageMaker::MlflowTrackingServer", "list_mlflow_tracking_servers"),
    ],
)
def test_a_region_without_mlflow(monkeypatch: pytest.MonkeyPatch, type_: str, operation: str) -> None:
    with answering(monkeypatch, "sagemaker") as stub:
        stub.add_client_error(operation, "UnknownOperationException")
        found = doctor.attempt("MLflow", ACCOUNT, with_types(type_))
    assert (found.status, "another of app, tracking-server, fargate" in found.remedy) == (Status.FAULT, True)


def test_a_service_that_does_not_answer_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ENDPOINT_URL": "http://localhost:9", "AWS_ACCESS_KEY_ID": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    boto3.setup_default_session()
    found = doctor.attempt("source", ACCOUNT, with_types("AWS::CodeCommit::Repository"))
    boto3.setup_default_session()
    assert (found.status, "reachable from here" in found.remedy) == (Status.FAULT, True)


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:iam::123456789012:root", Status.OK),
        ("arn:aws:sts::123456789012:federated-user/bob", Status.WARNING),
    ],
)
def test_callers_that_iam_does_not_simulate(arn: str, expected: Status) -> None:
    caller = InUse(id="123456789012", region="us-east-1", partition="aws", caller_arn=arn)
    assert doctor.attempt("rights to operate", caller, with_types()).status is expected
