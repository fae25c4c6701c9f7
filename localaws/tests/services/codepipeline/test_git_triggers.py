"""What a push touches, and which filters it fits."""

import subprocess
from pathlib import Path

import pytest

from localaws.services.codepipeline.git_triggers import fits, touched


@pytest.mark.parametrize(
    ("includes", "excludes", "paths", "expected"),
    [
        ([], [], ["README.md"], True),
        (["training/**"], [], ["training/steps/train.py"], True),
        (["training/**"], [], ["docs/training/a.md", "training.md"], False),
        (["training/*"], [], ["training/steps/train.py"], False),
        (["**/*.py"], [], ["app.py"], True),
        (["data?.csv"], [], ["data/.csv"], False),
        ([], ["docs/**", "**/README.md"], ["docs/a.md", "README.md"], False),
        ([], ["docs/**"], ["docs/a.md", "app.py"], True),
        (["training/**"], ["**/*.md"], ["training/notes.md", "app.py"], False),
        (["a+b/**"], [], ["aab/x"], False),
    ],
)
def test_a_path_must_be_included_and_not_excluded(
    includes: list[str], excludes: list[str], paths: list[str], expected: bool
) -> None:
    patterns = {key: value for key, value in (("includes", includes), ("excludes", excludes)) if value}
    assert fits(patterns, paths) is expected


def test_a_push_touches_what_its_new_commits_change(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(path: str) -> str:
        (tmp_path / path).write_text(path)
        git("add", path)
        git("commit", "--quiet", "-m", path)
        return git("rev-parse", "HEAD")

    git("init", "--quiet", "--initial-branch=main")
    first, second, third = commit("a"), commit("b"), commit("ü c")
    repository = tmp_path / ".git"
    assert touched(repository, third, [first]) == {"b", "ü c"}
    assert touched(repository, third, [first, second]) == {"ü c"}
    assert touched(repository, first, []) == {"a"}
    assert touched(repository, second, [third]) == set()
