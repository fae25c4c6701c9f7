"""The synthesised default, once: a push waits for these tests. What settings change is tested in tests/options."""

import os

import pytest

from tests.stacks.synthesis import Synthesised, cdk_app, read_assembly, without_account


@pytest.fixture(scope="session")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """The factory as cdk.json has it."""
    before = dict(os.environ)
    without_account(os.environ)
    outdir = str(tmp_path_factory.mktemp("cdk.out"))
    app, stack = cdk_app({}, outdir)
    app.synth()
    os.environ.clear()
    os.environ.update(before)
    return read_assembly(outdir, stack)
