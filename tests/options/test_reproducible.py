"""The same commit gives the same bytes, in any folder and beside any other files."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.stacks.synthesis import PROJECT, project_files

pytestmark = pytest.mark.slow
# The code, the papers and the samples; data and binaries that get in by accident are larger.
MAX_BYTES = 1_500_000


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if name and (PROJECT / name).is_file()]


def start_synthesis(project: Path, outdir: Path, hash_seed: str) -> subprocess.Popen[str]:
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    environment = {
        **os.environ,
        "CDK_CONTEXT_JSON": json.dumps(context),
        "CDK_OUTDIR": str(outdir),
        "CDK_VALIDATION": "false",
        "PYTHONHASHSEED": hash_seed,
    }
    return subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of this folder, and of a clone elsewhere that has files of a developer's beside the tracked ones."""
    copy = tmp_path_factory.mktemp("copy")
    for name, path in project_files().items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy / name)
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    names = "\0".join(tracked()).encode()
    add = ["git", "add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul"]
    subprocess.run(add, cwd=copy, input=names, check=True)
    for name, content in {
        ".venv/bin/x": "x",
        "node_modules/x": "x",
        "cdk.out/x": "x",
        ".localaws/x": "x",
        "stacks/__pycache__/x.pyc": "x",
        ".env": "PASSWORD=hunter2",
        "private/.gitignore": "*",
        "private/people.csv": "name,salary",
        ".git/info/exclude": "local-only.txt",
        "local-only.txt": "x",
        "empty.txt": "",
    }.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(content)
    outdirs = (tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there"))
    runs = [start_synthesis(PROJECT, outdirs[0], "1"), start_synthesis(copy, outdirs[1], "2")]
    for run in runs:
        output, _ = run.communicate()
        assert run.returncode == 0, output
    return outdirs


def files(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_processes_write_the_same_bytes(assemblies: tuple[Path, Path]) -> None:
    here, there = map(files, assemblies)
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []


def test_the_repository_starts_with_the_tracked_files_of_the_factory_only(
    assemblies: tuple[Path, Path],
) -> None:
    for assembly in assemblies:
        (seed,) = (path.parent for path in assembly.glob("asset.*/cdk.json"))
        assert set(files(seed)) == {name for name in tracked() if not name.startswith("localaws/")}


def test_no_asset_is_large_beside_the_locks(assemblies: tuple[Path, Path], tmp_path: Path) -> None:
    assets = list(assemblies[0].glob("asset.*"))
    assert assets
    for asset in assets:
        with zipfile.ZipFile(tmp_path / "asset.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files(asset).items():
                # Other projects' hashes, which do not compress.
                if not name.endswith(".lock"):
                    archive.writestr(name, content)
        assert (tmp_path / "asset.zip").stat().st_size < MAX_BYTES, asset
