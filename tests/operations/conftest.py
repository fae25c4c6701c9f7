"""A local AWS that the shell, so to say, points to."""

from collections.abc import Iterator

import boto3
import pytest

from localaws.account import Account
from tests.localaws.conftest import local_aws

__all__ = ["local_aws"]


@pytest.fixture
def account(local_aws: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name, value in local_aws.environment(local_aws.administrator).items():
        monkeypatch.setenv(name, value)
    boto3.setup_default_session()
    yield local_aws
    boto3.setup_default_session()
