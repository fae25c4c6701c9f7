"""`make test-aws` with a local AWS for the account: the same entry, prompt, destruction and audit."""

import sys
from collections.abc import Iterator

import boto3
import pytest

from tests.e2e.conftest import Workspace, running

pytestmark = [pytest.mark.e2e, pytest.mark.local_aws]
OWN = "factory-test-a"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with running(tmp_path_factory.mktemp("life") / "project") as workspace:
        workspace.train_little()
        workspace.skip_build_tests()
        workspace.run("git", "commit", "--quiet", "--all", "--message", "Train little")
        yield workspace


def life(account: Workspace, *arguments: str) -> str:
    return account.run(sys.executable, "-m", "operations.life_on_aws", *arguments, check=False)


def stacks() -> list[str]:
    return [stack["StackName"] for stack in boto3.client("cloudformation").describe_stacks()["Stacks"]]


def test_without_a_yes_nothing_is_made(account: Workspace) -> None:
    said = life(account, "--name", OWN)
    assert "Account 123456789012, region us-east-1" in said
    assert "USD  in about three hours" in said
    assert f"the factory {OWN} in this account? Nothing was made: make test-aws YES=1 says yes." in said
    assert stacks() == []


def test_a_factory_of_its_own_name_lives_and_leaves_nothing(account: Workspace) -> None:
    said = life(account, "--yes", "--name", OWN, "--select", "bare_deploy or aws_cli")
    assert f"{OWN}: all passed and nothing is left." in said, said[-6000:]
    assert "2 passed" in said
    assert stacks() == ["CDKToolkit"]


def test_after_a_failure_it_destroys_and_names_what_is_left(account: Workspace) -> None:
    boto3.client("s3").create_bucket(Bucket=f"{OWN}-planted")
    said = life(account, "--yes", "--name", OWN, "--select", "no_such_test")
    _, _, left = said.partition("What is left:\n")
    assert f"bucket {OWN}-planted\n" in left, said[-6000:]
    assert f"{OWN}: tests failed, cdk destroy passed, audit found what is listed above: delete it." in said
