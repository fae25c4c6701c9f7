"""A local AWS in this process, with the services that it has in the server."""

import gc
import time
from collections.abc import Callable, Iterator

import pytest

from localaws.core.account import Account
from localaws.server import running

# What the tests import is large and stays: looking for garbage among it often takes a tenth of the time.
gc.set_threshold(100_000, 20, 100)


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running(tmp_path_factory.mktemp("localaws"), user="core-administrator", uses_image=False) as account:
        yield account


WAIT_SECONDS = 60


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "not within the time"
            time.sleep(0.05)

    return wait
