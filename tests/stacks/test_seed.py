"""What the repository starts with."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stacks.synthesis import PROJECT, Synthesised


@pytest.fixture(scope="module")
def seed(factory: Synthesised) -> Path:
    manifest = json.loads((factory.directory / "model-factory.assets.json").read_text())
    sources = [factory.directory / str(file["source"]["path"]) for file in manifest["files"].values()]
    return next(source for source in sources if (source / "cdk.json").is_file())


def contents(seed: Path) -> Iterator[Path]:
    return (path for path in seed.rglob("*") if path.is_file())


def test_it_has_no_empty_file_for_codecommit_to_refuse(seed: Path) -> None:
    assert not [path for path in contents(seed) if path.stat().st_size == 0]


def test_it_has_what_a_push_needs(seed: Path) -> None:
    for path in (
        "codebuild-buildspec.yml",
        "deploy-buildspec.yml",
        "requirements.txt",
        ".gitignore",
    ):
        assert (seed / path).is_file(), path
    tracked = [path.relative_to(PROJECT) for path in (PROJECT / "models").rglob("*") if path.is_file()]
    assert not [path for path in tracked if not (seed / path).is_file()]


def test_it_leaves_out_what_git_ignores_and_git_itself(seed: Path) -> None:
    names = {part for path in contents(seed) for part in path.relative_to(seed).parts}
    assert not names & {".git", ".venv", "node_modules", "cdk.out", "__pycache__", ".localaws", ".mypy_cache"}


def test_it_leaves_out_the_local_aws(seed: Path) -> None:
    assert not (seed / "localaws").exists()


def test_it_is_small_enough_for_codecommit(seed: Path) -> None:
    assert sum(path.stat().st_size for path in contents(seed)) < 20 * 1024**2
