"""What the repository starts with."""

import json
import os
from pathlib import Path

import pytest
from aws_cdk import App, Stack

from stacks.seed import MAX_COMPRESSED_BYTES, seed_asset
from tests.stacks.synthesis import PROJECT, Synthesised


@pytest.fixture(scope="module")
def seed(factory: Synthesised) -> Path:
    manifest = json.loads((factory.directory / "model-factory.assets.json").read_text())
    sources = [factory.directory / str(file["source"]["path"]) for file in manifest["files"].values()]
    return next(source for source in sources if (source / "cdk.json").is_file())


def contents(seed: Path) -> list[Path]:
    found = [path for path in seed.rglob("*") if path.is_file()]
    assert len(found) > 100
    return found


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


def refusal(files: dict[str, Path]) -> str:
    with pytest.raises(ValueError, match="The new repository") as error:
        seed_asset(Stack(App(analytics_reporting=False), "stack"), "Seed", files)
    return str(error.value)


def test_empty_files_are_refused_by_name(tmp_path: Path) -> None:
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.write_text("x")
    empty.touch()
    message = refusal({"a.py": full, "new/__init__.py": empty, "localaws/py.typed": empty})
    assert message.startswith(
        "The new repository has empty files, which CodeCommit refuses: new/__init__.py. "
    )


def test_too_many_bytes_are_refused_with_the_largest_files(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_text("x")
    large.write_bytes(os.urandom(MAX_COMPRESSED_BYTES))
    message = refusal({"a.py": small, "data.bin": large})
    assert "allowed are 20,971,520" in message
    assert "the largest are data.bin, a.py" in message


def test_what_compresses_well_is_not_refused(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"0" * 2 * MAX_COMPRESSED_BYTES)
    seed_asset(Stack(App(analytics_reporting=False), "stack"), "Seed", {"zeros": large})
