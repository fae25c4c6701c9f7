"""One account and one region for boto3 and the CDK command, or a refusal."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from operations import account as accounts
from operations.account import REGION_VARIABLES, account_in_use, region_in_use, say_account
from operations.errors import OperationError

if TYPE_CHECKING:
    from localaws.core.account import Account


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without anything of AWS, but for a profile with a region."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "AMAZON_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-3\n[profile bare]\noutput = json\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    boto3.setup_default_session()
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_PROFILE": "work"}, "eu-west-3"),
        ({"AWS_PROFILE": "work", "AWS_REGION": "eu-west-1"}, "eu-west-1"),
    ],
)
def test_the_region_is_found_wherever_it_is_set(
    shell: pytest.MonkeyPatch, variables: Mapping[str, str], region: str
) -> None:
    for name, value in variables.items():
        shell.setenv(name, value)
    assert region_in_use() == region


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"},
            r"AWS_REGION is 'eu-west-1' and AWS_DEFAULT_REGION is 'us-east-1': the CDK command .* set both to one",
        ),
        ({"AWS_PROFILE": "work", "AWS_DEFAULT_PROFILE": "bare"}, "one profile"),
        ({"AWS_PROFILE": "bare"}, "No region is set: export AWS_REGION"),
        ({}, "No region is set: export AWS_REGION"),
        ({"AWS_PROFILE": "lost"}, r"profile \(lost\) could not be found: set AWS_PROFILE to one of"),
    ],
)
def test_two_regions_or_none_are_refused(
    shell: pytest.MonkeyPatch, variables: Mapping[str, str], message: str
) -> None:
    for name, value in variables.items():
        shell.setenv(name, value)
    with pytest.raises(OperationError, match=message) as refusal:
        region_in_use()
    assert "\n" not in str(refusal.value)


def test_the_variables_are_those_of_the_cdk_command() -> None:
    bundle = Path(accounts.__file__).parents[1] / "node_modules/aws-cdk/lib/index.js"
    if not bundle.exists():
        pytest.skip("the CDK command is not installed")
    chain = " || ".join(f"process.env.{name}" for name in REGION_VARIABLES)
    assert f"const region = {chain} ||" in bundle.read_text()


def test_a_region_for_the_cdk_command_alone_is_boto3_s_too(
    account: "Account", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    found = say_account()
    assert (found.region, boto3.client("sns").meta.region_name) == ("eu-west-2", "eu-west-2")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Account 123456789012, region eu-west-2, as user/administrator\n"


def test_credentials_that_aws_does_not_know_are_refused_in_a_sentence(
    account: "Account", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN")
    with pytest.raises(OperationError, match=r"AWS does not say whose .*InvalidClientTokenId"):
        account_in_use()


def test_a_local_aws_that_is_down_is_named(account: "Account", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9")
    with pytest.raises(OperationError, match="For the local AWS: make up"):
        account_in_use()


def test_every_command_that_asks_aws_says_whom() -> None:
    commands = [
        path.name
        for path in Path(accounts.__file__).parent.glob("*.py")
        if "run(main)" in path.read_text()
        and not any(
            call in path.read_text() for call in ("deployed_factory()", "say_account()", "account_in_use()")
        )
    ]
    assert commands == ["train.py"]  # which asks no AWS
