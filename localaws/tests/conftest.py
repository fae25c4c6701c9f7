"""A local AWS in this process, with the services that it has in the server."""

from collections.abc import Iterator

import pytest

from localaws.core.account import Account
from localaws.server import running


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running(tmp_path_factory.mktemp("localaws"), user="core-administrator") as account:
        yield account
