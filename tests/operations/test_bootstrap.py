"""A bootstrap that exists is found by its qualifier and never changed."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from operations import assembly, bootstrap
from operations.account import Account as InUse
from operations.assembly import Assembly
from operations.bootstrap import ForeignBootstrapError, find
from operations.errors import OperationError
from tests.operations.toolkit import PARAMETER, toolkit_template

if TYPE_CHECKING:
    from localaws.core.account import Account


def wanting(qualifier: str, version: int = 6) -> Assembly:
    properties = {
        "bootstrapStackVersionSsmParameter": PARAMETER.format(qualifier=qualifier),
        "requiresBootstrapStackVersion": version,
    }
    return Assembly("55.0.0", "model-factory", {"Resources": {}}, properties, {})


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that this process would have become."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execvp", lambda _, words: commands.append(words))
    return commands


def deploying(monkeypatch: pytest.MonkeyPatch, wanted: Assembly) -> None:
    monkeypatch.setattr(assembly, "read", lambda _: wanted)
    bootstrap.main()


def test_an_own_bootstrap_is_used_as_it_is(
    stacks: Any,
    executed: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stacks("AcmeToolkit", toolkit_template("acme", "acme-boundary"))
    deploying(monkeypatch, wanting("acme"))
    said = "version 28, qualifier acme, stack AcmeToolkit, permissions boundary acme-boundary"
    assert capsys.readouterr().out == f"Bootstrap: {said}\n"
    assert executed == []


def test_a_foreign_bootstrap_is_no_reason_for_a_second(
    stacks: Any, executed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks("AcmeToolkit", toolkit_template("acme", "acme-boundary"))
    with pytest.raises(OperationError) as refusal:
        deploying(monkeypatch, wanting("hnb659fds"))
    assert "stack AcmeToolkit, permissions boundary acme-boundary" in str(refusal.value)
    assert (
        f'"{bootstrap.QUALIFIER_KEY}": "acme" under "context" and "toolkitStackName": "AcmeToolkit"'
        in str(refusal.value)
    )
    assert executed == []


def test_a_bootstrap_without_a_stack_counts(account: "Account") -> None:
    name = PARAMETER.format(qualifier="terra")
    boto3.client("ssm").put_parameter(Name=name, Value="20", Type="String")
    try:
        assert str(find(wanting("terra"))) == "version 20, qualifier terra"
        with pytest.raises(ForeignBootstrapError, match=r"needs version 21.* make deploy does not change"):
            find(wanting("terra", version=21))
    finally:
        boto3.client("ssm").delete_parameter(Name=name)


def test_a_toolkit_stack_without_a_version_is_left_alone(
    stacks: Any, executed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks("CDKToolkit", {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    with pytest.raises(ForeignBootstrapError, match="Stack CDKToolkit is CREATE_COMPLETE and has no version"):
        deploying(monkeypatch, wanting("hnb659fds"))
    assert executed == []


def test_an_account_without_any_is_bootstrapped_with_the_app_s_qualifier(
    account: "Account", executed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path.cwd())
    deploying(monkeypatch, wanting("acme"))
    line = "cdk bootstrap aws://123456789012/us-east-1 --qualifier acme --no-notices --app cdk.out"
    assert [" ".join(words) for words in executed] == [line]


def test_who_may_not_look_makes_none(
    account: "Account",
    executed: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    iam = boto3.client("iam")
    iam.create_user(UserName="deployer")
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    deploying(monkeypatch, wanting("hnb659fds"))
    assert "not looked for, so none is made." in capsys.readouterr().out
    assert executed == []


def test_the_roles_are_those_of_the_assembly(tmp_path: Path) -> None:
    role = (
        "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/cdk-acme-deploy-role-${AWS::AccountId}-us-east-1"
    )
    wanted = Assembly("55.0.0", "digits", {}, {"assumeRoleArn": role}, {})
    account = InUse(id="123456789012", region="us-east-1", partition="aws", caller_arn="arn:aws:iam::1:root")
    assert wanted.role_arns(account) == [
        "arn:aws:iam::123456789012:role/cdk-acme-deploy-role-123456789012-us-east-1"
    ]
