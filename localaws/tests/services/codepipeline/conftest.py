"""A repository, a build project and their pipeline, removed afterwards."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localaws.core.account import Account
from tests.services.codepipeline.delivery import Delivery


@pytest.fixture
def delivery(
    account: Account, make_role: Callable[..., str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Delivery]:
    delivery = Delivery(account, make_role, f"delivery-{time.monotonic_ns()}", tmp_path)
    yield delivery
    delivery.client.delete_pipeline(name=delivery.name)
    account.client("codebuild").delete_project(name=delivery.name)
    account.client("codecommit").delete_repository(repositoryName=delivery.name)
