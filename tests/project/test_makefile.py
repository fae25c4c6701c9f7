"""make in a folder whose path has a space and an umlaut: no command names the folder unquoted."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
TARGETS = (
    "install",
    "synth",
    "deploy",
    "destroy",
    "status",
    "verify",
    "audit",
    "lint",
    "unit",
    "e2e",
    "clean",
)


def test_no_target_names_the_folder_unquoted(tmp_path: Path) -> None:
    folder = tmp_path / "My Projects" / "Fabrik Zürich"
    folder.mkdir(parents=True)
    shutil.copy(PROJECT / "Makefile", folder)
    (folder / "localaws").mkdir()
    (folder / "localaws/pyproject.toml").touch()
    for name in ("requirements.lock", "package-lock.json"):
        (folder / name).touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(
        ["make", "-n", *TARGETS, "env"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    commands = [line for line in shown.stdout.splitlines() if str(folder) in line and "Entering" not in line]
    # The one that prints the folder for the shell to evaluate.
    (export,) = [line for line in commands if "Leaving" not in line]
    (printed,) = shlex.split(export)[1:]
    assert shlex.split(printed)[1].startswith(f"PATH={folder}/.venv/bin:{folder}/node_modules/.bin:")
