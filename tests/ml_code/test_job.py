import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ml_code import job, source_archive

STEPS = {
    "good": b"import sys\nprint('ran', sys.argv[1:])\n",
    "bad": b"raise ValueError('row 3 is odd')\n",
    "refusing": b"raise SystemExit('no data')\n",
}


@pytest.fixture
def code_folder(tmp_path: Path) -> Path:
    """What a processing job finds at /opt/ml/processing/input/code."""
    code = {f"ml_code/{name}.py": content for name, content in STEPS.items()}
    archive = source_archive.build_source_archive(code, "", {})
    (tmp_path / "source.tar.gz").write_bytes(archive)
    shutil.copy(job.__file__, tmp_path / "job.py")
    return tmp_path


def _run(code_folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"EXIT_MESSAGE_FILE": str(code_folder / "output/message"), "TMPDIR": str(code_folder)}
    return subprocess.run(
        [sys.executable, str(code_folder / "job.py"), *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        cwd="/",
    )


def test_a_step_runs_with_its_arguments_and_leaves_nothing(code_folder: Path) -> None:
    done = _run(code_folder, "ml_code.good", "--data-dir", "/data")
    assert (done.returncode, done.stdout) == (0, "ran ['--data-dir', '/data']\n"), done.stderr
    assert not (code_folder / "output/message").exists()
    assert not list(code_folder.glob("source-*"))


@pytest.mark.parametrize(("step", "message"), [("bad", "ValueError: row 3 is odd"), ("refusing", "no data")])
def test_a_failing_step_leaves_its_reason(code_folder: Path, step: str, message: str) -> None:
    done = _run(code_folder, f"ml_code.{step}")
    assert done.returncode == 1
    assert message in done.stderr
    assert step != "bad" or "raise ValueError('row 3 is odd')" in done.stderr
    assert (code_folder / "output/message").read_text() == message


def test_a_reason_is_cut_to_what_sagemaker_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXIT_MESSAGE_FILE", str(tmp_path / "message"))
    job.write_exit_message("é" * 2000)
    assert len((tmp_path / "message").read_bytes()) <= job.EXIT_MESSAGE_BYTES


def test_pip_runs_only_for_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: calls.append(command))
    pin = f"pytest=={job.installed_version('pytest')}"
    (tmp_path / "requirements.txt").write_text(f"--no-index\n--find-links wheels\n{pin}\n")
    job.install_requirements(tmp_path)
    assert not calls
    (tmp_path / "requirements.txt").write_text("pytest==0.0.1\n")
    job.install_requirements(tmp_path)
    assert calls[0][-2:] == ["--requirement", "requirements.txt"]


@pytest.mark.parametrize(("host", "first"), [("algo-1", True), ("algo-2", False)])
def test_one_instance_of_several_runs_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, first: bool
) -> None:
    monkeypatch.setattr(job, "RESOURCES_FILE", tmp_path / "resourceconfig.json")
    assert job.is_first_host()
    job.RESOURCES_FILE.write_text(f'{{"current_host": "{host}", "hosts": ["algo-1", "algo-2"]}}')
    assert job.is_first_host() is first
