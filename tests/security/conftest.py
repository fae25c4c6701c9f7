"""Attacks on a factory's roles: each configuration is synthesised once, when a test first asks for it."""

import os

import pytest

from tests.ml_code.conftest import empty_registry, spec
from tests.security.roles import MakeRoles, Roles, evaluator
from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import cdk_app, read_assembly, without_account

__all__ = ["empty_registry", "spec"]


@pytest.fixture(scope="session")
def roles(tmp_path_factory: pytest.TempPathFactory) -> MakeRoles:
    """Make the roles of the factory with the settings of a configuration's name."""
    made: dict[str, Roles] = {}

    def make(name: str) -> Roles:
        if name not in made:
            policies = evaluator()
            before = dict(os.environ)
            without_account(os.environ)
            outdir = str(tmp_path_factory.mktemp(name))
            app, stack = cdk_app(CONFIGURATIONS[name], outdir)
            app.synth()
            os.environ.clear()
            os.environ.update(before)
            made[name] = Roles(read_assembly(outdir, stack), policies)
        return made[name]

    return make
