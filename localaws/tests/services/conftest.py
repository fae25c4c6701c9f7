"""A local AWS with the delivery services, in this process, behind its real gateway."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.core.account import Account
from localaws.server import running

Json = dict[str, Any]
ARTIFACT_BUCKET = "delivery-artifacts"


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running(
        tmp_path_factory.mktemp("state"), user="delivery-administrator", uses_image=False
    ) as account:
        account.client("s3").create_bucket(Bucket=ARTIFACT_BUCKET)
        yield account


@pytest.fixture
def make_role(account: Account) -> Iterator[Callable[..., str]]:
    """Make a role that a service principal assumes and that may do the given actions on everything: its ARN."""
    iam = account.client("iam")
    names: list[str] = []

    def make(principal: str, *actions: str) -> str:
        name = f"delivery-role-{len(names)}-{time.monotonic_ns()}"
        trust = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
        arn = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )["Role"]["Arn"]
        names.append(name)
        allow(account, name, *actions)
        return str(arn)

    yield make
    for name in names:
        iam.delete_role_policy(RoleName=name, PolicyName="actions")
        iam.delete_role(RoleName=name)


def allow(account: Account, role_name: str, *actions: str) -> None:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("iam").put_role_policy(RoleName=role_name, PolicyName="actions", PolicyDocument=document)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Ask a function until its result is true: that result; fails after a minute."""

    def wait(function: Callable[[], Any], seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            result = function()
            if result:
                return result
            time.sleep(0.05)
        raise AssertionError("it did not happen in time")

    return wait


@pytest.fixture
def write_files(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "files"

    return write
