"""A local AWS in this process that the shell, so to say, points to."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

if TYPE_CHECKING:
    from localaws.core.account import Account


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Account]":
    server = pytest.importorskip("localaws.server", reason="the local AWS is a distribution of its own")
    with server.running(tmp_path_factory.mktemp("localaws")) as account:
        yield account


@pytest.fixture
def account(local_aws: "Account", monkeypatch: pytest.MonkeyPatch) -> "Iterator[Account]":
    for name, value in local_aws.environment(local_aws.administrator).items():
        monkeypatch.setenv(name, value)
    boto3.setup_default_session()
    yield local_aws
    boto3.setup_default_session()


@pytest.fixture
def stacks(account: "Account") -> Iterator[Any]:
    """Make a stack of a name and a template; it is deleted after the test."""
    cloudformation, names = boto3.client("cloudformation"), list[str]()

    def make(name: str, template: Any) -> None:
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
        names.append(name)
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

    yield make
    for name in names:
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
