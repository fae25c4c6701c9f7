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
    "lint-templates",
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
    for name in ("requirements.lock", "requirements-audit.lock", "package-lock.json"):
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


def test_no_recipe_reads_quotes_and_commands_in_a_variable(tmp_path: Path) -> None:
    """GNU make writes $(REASON) into the shell's text as it is; $$REASON stays one word."""
    shutil.copy(PROJECT / "Makefile", tmp_path)
    said = 'new "labels"; touch pwned'
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    for target, names in {
        "run": ("REASON", "DATA", "COMMIT"),
        "rollback": ("TO",),
        "batch": ("INPUT", "VERSION"),
        "erase": ("KEY", "VALUE"),
        "train": ("TRIALS", "DATA"),
        "model-init": ("DATA", "TARGET", "NAME"),
    }.items():
        words = ["make", "--silent", "--old-file=install", target, *(f"{name}={said}" for name in names)]
        shown = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert shown.stdout.splitlines().count(said) == len(names), shown
    assert not (tmp_path / "pwned").exists()
