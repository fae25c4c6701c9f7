"""The image's environment: which interpreter it gets, and what happens where it cannot be made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.runtime import image_environment
from localaws.runtime.image_environment import ImageEnvironment, NotMade, find_interpreter, package_lines
from localaws.runtime.processes import ProcessTable


@pytest.fixture
def processes() -> Iterator[ProcessTable]:
    table = ProcessTable()
    yield table
    table.close()


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_first_interpreter_that_runs_is_taken(tmp_path: Path) -> None:
    shim = program(tmp_path / "shim", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    other = program(tmp_path / "other", "echo 3.11")
    good = program(tmp_path / "good", "echo 3.12")
    assert find_interpreter([tmp_path / "missing", shim, other, good]) == good


def test_without_an_interpreter_it_is_said_which_were_tried(tmp_path: Path) -> None:
    shim = program(tmp_path / "shim", "exit 127")
    with pytest.raises(
        NotMade, match=rf"none was found here that runs \(tried: {shim}\); install python3.12"
    ):
        find_interpreter([shim])


def test_the_packages_are_the_image_s(processes: ProcessTable, tmp_path: Path) -> None:
    lines = package_lines()
    assert "scikit-learn==1.9.0" in lines
    assert "sagemaker-containers==2.8.6.post2" in lines
    assert not [line for line in lines if line.startswith("typing==") or "==" not in line]
    assert ImageEnvironment(processes, tmp_path).folder.parent == tmp_path / "images"


def test_the_user_s_cache_folder_is_respected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert image_environment.user_cache() == tmp_path / "localaws"


@pytest.mark.parametrize(
    ("interpreters", "compiler", "reason"),
    [([], "cc", "Python 3.12 and none was found"), (["3.12"], None, "needs a C compiler; install gcc")],
)
def test_what_it_lacks_is_said_and_nobody_waits(
    processes: ProcessTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interpreters: list[str],
    compiler: str | None,
    reason: str,
) -> None:
    found = [program(tmp_path / version, f"echo {version}") for version in interpreters]
    monkeypatch.setattr(image_environment, "_interpreters", lambda: iter(found))
    monkeypatch.setattr("shutil.which", lambda _: compiler)
    image = ImageEnvironment(processes, tmp_path)
    assert image.wait() is None
    assert image.is_ready
    assert image.description.startswith("NOT AWS'S")
    assert reason in image.description


def test_a_half_made_one_is_made_anew(
    processes: ProcessTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = program(
        tmp_path / "python", 'if [ "$1" = -c ]; then echo 3.12; else echo "no venv" >&2; exit 3; fi'
    )
    monkeypatch.setattr(image_environment, "_interpreters", lambda: iter([fails]))
    monkeypatch.setattr("shutil.which", lambda _: "cc")
    image = ImageEnvironment(processes, tmp_path)
    (image.folder / "bin").mkdir(parents=True)
    half = program(image.folder / "bin" / "python", "echo 3.12")
    assert image.wait() is None
    assert not half.exists()
    assert "ended with 3: no venv" in image.description
