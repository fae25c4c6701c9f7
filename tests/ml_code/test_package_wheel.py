import os
import re
import shutil
import time
import tomllib
from pathlib import Path

import pytest

from ml_code.package_wheel import PROJECT, build_wheel, package_files


@pytest.fixture(scope="module")
def wheel() -> tuple[str, bytes]:
    return build_wheel()


def test_it_holds_the_package_with_its_data_and_nothing_else(wheel: tuple[str, bytes]) -> None:
    names = set(package_files(wheel[1]))
    assert {"ml_code/jobs/train.py", "ml_code/inference/wsgi.py", "ml_code/requirements.txt"} <= names
    assert not [name for name in names if not name.startswith("ml_code/") or "__pycache__" in name]


def test_the_same_code_gives_the_same_bytes(wheel: tuple[str, bytes], tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, tmp_path)
    copy = shutil.copytree(PROJECT / "ml_code", tmp_path / "ml_code")
    for path in copy.rglob("*"):
        os.utime(path, (time.time(), time.time()))
    assert build_wheel(tmp_path) == wheel


def test_an_installation_asks_for_what_the_jobs_pin() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    pinned = re.findall(
        r"^([\w.-]+)==", (PROJECT / "ml_code/requirements.txt").read_text(), flags=re.MULTILINE
    )
    assert sorted(project["dependencies"]) == sorted(pinned)
