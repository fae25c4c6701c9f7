"""Every configuration, synthesised and scanned once."""

import gc
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.scanners.scan import BIN, Finding, checkov, parliament
from tests.scanners.templates import Template, synthesise
from tests.stacks.configurations import CONFIGURATIONS

PROCESSES = 2


@pytest.fixture(scope="session", autouse=True)
def scanners() -> None:
    if not (BIN / "checkov").is_file():
        pytest.fail(f"there is no {BIN}/checkov: run `make lint-templates`, which installs it", pytrace=False)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Template]:
    # Not forked: Node and its pipes belong to one process.
    context = multiprocessing.get_context("spawn")
    folders = [str(tmp_path_factory.mktemp(name)) for name in CONFIGURATIONS]
    with ProcessPoolExecutor(PROCESSES, mp_context=context, initializer=gc.disable) as pool:
        return list(pool.map(synthesise, CONFIGURATIONS, folders))


@pytest.fixture(scope="session")
def findings(templates: Sequence[Template], tmp_path_factory: pytest.TempPathFactory) -> Sequence[Finding]:
    folder = tmp_path_factory.mktemp("scanned")
    return [*checkov(templates, folder / "checkov"), *parliament(templates, folder / "parliament")]
