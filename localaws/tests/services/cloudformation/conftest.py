"""A stack that goes with its test."""

from collections.abc import Iterator

import pytest

from localaws.core.account import Account
from tests.services.cloudformation.stack import Stack


@pytest.fixture
def stack(local_aws: Account) -> Iterator[Stack]:
    made = Stack(local_aws)
    yield made
    if any(found["StackName"] == made.name for found in made.api.describe_stacks()["Stacks"]):
        made.delete()
