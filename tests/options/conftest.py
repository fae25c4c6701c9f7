"""Every configuration, proved once: two at a time, as each takes seconds of computing."""

import gc
import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import pytest

from tests.options.proof import Proof, prove
from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import Synthesise, Synthesised

PROCESSES = 2


class Proofs:
    """Each made when it is first asked for."""

    def __init__(self, pool: ProcessPoolExecutor, folders: pytest.TempPathFactory) -> None:
        self._pool = pool
        self._folders = folders
        self._started: dict[str, Future[Proof]] = {}

    def start(self, name: str) -> Future[Proof]:
        if name not in self._started:
            folder = str(self._folders.mktemp(name))
            self._started[name] = self._pool.submit(prove, CONFIGURATIONS[name], folder)
        return self._started[name]

    def __getitem__(self, name: str) -> Proof:
        return self.start(name).result()


@pytest.fixture(scope="session")
def proofs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proofs]:
    # Not forked: Node and its pipes belong to one process.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context, initializer=gc.disable) as pool:
        proofs = Proofs(pool, tmp_path_factory)
        for item in request.session.items:
            if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
                name = item.callspec.params.get("proof")
                if isinstance(name, str):
                    proofs.start(name)
        yield proofs
        pool.shutdown(cancel_futures=True)


@pytest.fixture(params=CONFIGURATIONS)
def proof(request: pytest.FixtureRequest, proofs: Proofs) -> Proof:
    return proofs[request.param]


@pytest.fixture(scope="session")
def synthesise(proofs: Proofs) -> Synthesise:
    """The factory of one of the configurations."""

    def synthesised(settings: Mapping[str, Any] = {}) -> Synthesised:
        for name, listed in CONFIGURATIONS.items():
            if settings == listed:
                return proofs[name].factory
        raise LookupError(f"add {settings} to tests/stacks/configurations.py")

    return synthesised


@pytest.fixture(scope="session")
def factory(synthesise: Synthesise) -> Synthesised:
    """The factory as cdk.json has it."""
    return synthesise()
