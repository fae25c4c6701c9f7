"""What a user sees of a mistake."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import tracked_files
from tests.stacks.synthesis import PROJECT

gc.enable()  # app.py has disabled it


def test_the_app_answers_a_mistake_with_one_sentence() -> None:
    context = json.dumps({"factory": {"stage": "test"}})
    result = subprocess.run(
        [sys.executable, "app.py"],
        cwd=PROJECT,
        env={**os.environ, "CDK_CONTEXT_JSON": context},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "Setting factory.stage is 'test', allowed is one of dev, prod." in result.stderr
    assert "Traceback" not in result.stderr


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One model, in no repository."""
    model = tmp_path / "models/digits/model.yaml"
    model.parent.mkdir(parents=True)
    model.write_text("name: digits")
    (tmp_path / ".env").write_text("PASSWORD=hunter2")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def test_a_new_repository_gets_what_git_knows(project: Path) -> None:
    (project / "gone.py").touch()
    (project / "größe ß.txt").touch()
    git(project, "init", "--quiet")
    git(project, "add", "models", "gone.py", "größe ß.txt")
    (project / "gone.py").unlink()
    assert set(tracked_files(project)) == {"models/digits/model.yaml", "größe ß.txt"}


def test_a_folder_that_is_no_clone_is_refused(project: Path) -> None:
    with pytest.raises(ValueError, match=r"not a git repository.*git init && git add --all"):
        tracked_files(project)


def test_a_model_that_git_does_not_know_is_refused(project: Path) -> None:
    git(project, "init", "--quiet")
    git(project, "add", ".env")
    with pytest.raises(
        ValueError, match=r"git does not know models/digits/model\.yaml.*git add models/digits"
    ):
        tracked_files(project)
