import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ml_code.contracts import Variable
from ml_code.execution import source_archive
from ml_code.jobs import entry_point

STEPS = {
    "good": b"import sys\nprint('ran', sys.argv[1:], open('models/a/model.yaml').read())\n",
    "bad": b"raise ValueError('row 3 is odd')\n",
    "refusing": b"raise SystemExit('no data')\n",
}


@pytest.fixture
def code_folder(tmp_path: Path) -> Path:
    """What a processing job finds at /opt/ml/processing/input/code."""
    archive = source_archive.build_source_archive({"models/a/model.yaml": b"name: a"}, "", wheels())
    (tmp_path / "source.tar.gz").write_bytes(archive)
    shutil.copy(entry_point.__file__, tmp_path)
    return tmp_path


@pytest.fixture
def unpacked_folder(tmp_path: Path) -> Path:
    """What a training job finds at /opt/ml/code."""
    (tmp_path / "wheels").mkdir()
    for name, content in {"requirements.txt": b"", **wheels()}.items():
        (tmp_path / "wheels" / name).write_bytes(content)
    (tmp_path / "models/a").mkdir(parents=True)
    (tmp_path / "models/a/model.yaml").write_text("name: a")
    shutil.copy(entry_point.__file__, tmp_path)
    return tmp_path


def wheels() -> dict[str, bytes]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as wheel:
        for name, content in STEPS.items():
            wheel.writestr(f"ml_code/{name}.py", content)
    return {"model_factory-0.1.0-py3-none-any.whl": stream.getvalue()}


def _run(code_folder: Path, step: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "JOB_MODULE": f"ml_code.{step}",
        "EXIT_MESSAGE_FILE": str(code_folder / "output/message"),
        "TMPDIR": str(code_folder),
    }
    return subprocess.run(
        [sys.executable, str(code_folder / "entry_point.py"), *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        cwd="/",
    )


def test_a_step_runs_with_its_arguments_and_leaves_nothing(code_folder: Path) -> None:
    done = _run(code_folder, "good", "--data-dir", "/data")
    assert (done.returncode, done.stdout) == (0, "ran ['--data-dir', '/data'] name: a\n"), done.stderr
    assert not (code_folder / "output/message").exists()
    assert not list(code_folder.glob("job-*"))


def test_a_training_job_has_the_code_unpacked(unpacked_folder: Path) -> None:
    done = _run(unpacked_folder, "good", "--alpha", "1")
    assert (done.returncode, done.stdout) == (0, "ran ['--alpha', '1'] name: a\n"), done.stderr


def test_names_that_it_cannot_import_are_those_of_the_contracts() -> None:
    assert entry_point.MODULE_VARIABLE == Variable.JOB_MODULE
    assert entry_point.MESSAGE_VARIABLE == Variable.EXIT_MESSAGE_FILE


@pytest.mark.parametrize(("step", "message"), [("bad", "ValueError: row 3 is odd"), ("refusing", "no data")])
def test_a_failing_step_leaves_its_reason(code_folder: Path, step: str, message: str) -> None:
    done = _run(code_folder, step)
    assert done.returncode == 1
    assert message in done.stderr
    assert step != "bad" or "raise ValueError('row 3 is odd')" in done.stderr
    assert (code_folder / "output/message").read_text() == message


def test_a_reason_is_cut_to_what_sagemaker_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXIT_MESSAGE_FILE", str(tmp_path / "message"))
    entry_point.write_exit_message("é" * 2000)
    assert len((tmp_path / "message").read_bytes()) <= entry_point.EXIT_MESSAGE_BYTES


def test_pip_runs_only_for_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "path", [*sys.path])
    pin = f"pytest=={entry_point.installed_version('pytest')} --hash=sha256:0"
    (tmp_path / "requirements.txt").write_text(f"--no-index\n--find-links .\n{pin}\n")
    entry_point.install_requirements(tmp_path, tmp_path / "folder")
    assert not calls
    (tmp_path / "requirements.txt").write_text("pytest==0.0.1 --hash=sha256:0\n")
    entry_point.install_requirements(tmp_path, tmp_path / "folder")
    assert calls[0][-1] == "--dry-run"
    assert calls[1][-2:] == ["--target", str(tmp_path / "folder")]
    assert sys.path[0] == str(tmp_path / "folder")


def test_what_pip_cannot_install_is_the_reason(code_folder: Path) -> None:
    requirements = "--no-index\n--find-links .\ncertifi==2099.1.1\n"
    archive = source_archive.build_source_archive({}, requirements, wheels())
    (code_folder / "source.tar.gz").write_bytes(archive)
    done = _run(code_folder, "good")
    assert done.returncode == 1
    message = (code_folder / "output/message").read_text()
    assert message.startswith("pip cannot install what the job needs: ERROR: ")
    assert "No matching distribution found for certifi==2099.1.1" in message
    assert "No matching distribution found for certifi==2099.1.1" in done.stderr


@pytest.mark.parametrize(("host", "first"), [("algo-1", True), ("algo-2", False)])
def test_one_instance_of_several_runs_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, first: bool
) -> None:
    monkeypatch.setattr(entry_point, "RESOURCES_FILE", tmp_path / "resourceconfig.json")
    assert entry_point.has_work()
    entry_point.RESOURCES_FILE.write_text(f'{{"current_host": "{host}", "hosts": ["algo-1", "algo-2"]}}')
    assert entry_point.has_work() is first
    monkeypatch.setenv(entry_point.MODULE_VARIABLE, "ml_code.jobs.preprocess")
    assert entry_point.has_work()
