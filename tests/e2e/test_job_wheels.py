"""What jobs add to SageMaker's image, installed by pip into the image's own packages as in a job: from the bundle only."""

import os
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from localaws.runtime.environments import overlay_environment
from localaws.runtime.image_environment import ImageEnvironment
from localaws.runtime.processes import ProcessTable

from ml_code.execution import job_wheels, source_archive
from ml_code.jobs import entry_point

MODULE = "import mlflow, sagemaker_mlflow, matplotlib.pyplot, pydantic, sklearn\nprint('ran with', mlflow.__version__)\n"
# Toolkits of the image hold old releases of what others have newer of, there too; no job imports protobuf by them.
HELD_BY_THE_IMAGE = ("sagemaker-containers 2.8.6.post2 ", "sagemaker-training 4.8.0 has requirement protobuf")


@dataclass(frozen=True)
class Job:
    """A processing job's code folder, and Python over the image's packages."""

    folder: Path
    environment: dict[str, str]

    def run(self, wheels: dict[str, bytes], requirements: str) -> subprocess.CompletedProcess[str]:
        archive = source_archive.build_source_archive({}, requirements, wheels | project_wheel(self.folder))
        (self.folder / "source.tar.gz").write_bytes(archive)
        return self.python(str(self.folder / entry_point.__name__.rpartition(".")[2]) + ".py")

    @property
    def exit_message(self) -> str:
        return (self.folder / "message").read_text()

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.folder / "python/bin/python"), *arguments]
        return subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False
        )


def project_wheel(folder: Path) -> dict[str, bytes]:
    path = folder / "model_factory-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("ml_code/probe.py", MODULE)
    return {path.name: path.read_bytes()}


@pytest.fixture(scope="module")
def image_python() -> Iterator[Path]:
    processes = ProcessTable()
    image = ImageEnvironment(processes)
    image.wait()
    python = image.folder / "bin" / "python"
    if not python.exists():
        pytest.fail(image.description)
    yield python
    image.close()


@pytest.fixture
def job(tmp_path: Path, image_python: Path) -> Job:
    paths = overlay_environment(tmp_path / "python", image_python)
    (tmp_path / "entry_point.py").write_bytes(source_archive.ENTRY_POINT.read_bytes())
    environment = {
        **os.environ,
        **paths,
        "JOB_MODULE": "ml_code.probe",
        "EXIT_MESSAGE_FILE": str(tmp_path / "message"),
        "MPLCONFIGDIR": str(tmp_path),
        "PIP_NO_COMPILE": "1",
        "PIP_CACHE_DIR": str(tmp_path / "cache"),
    }
    return Job(tmp_path, environment)


@pytest.fixture(scope="module")
def bundle() -> dict[str, bytes]:
    return job_wheels.download()


def test_a_job_runs_on_the_bundle_and_the_image(job: Job, bundle: dict[str, bytes]) -> None:
    done = job.run(bundle, job_wheels.job_requirements(bundle, job_wheels.read_lock()))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ran with 3.10.1\n"
    broken = job.python("-m", "pip", "check").stdout.splitlines()
    assert [line for line in broken if not line.startswith(HELD_BY_THE_IMAGE)] == []


def test_a_bundle_without_what_the_image_has_too_old_fails(job: Job, bundle: dict[str, bytes]) -> None:
    """The image's protobuf is older than OpenTelemetry and Databricks' SDK ask for."""
    pins = [pin for pin in job_wheels.read_lock() if pin.name != "protobuf"]
    wheels = {name: content for name, content in bundle.items() if not name.startswith("protobuf-")}
    done = job.run(wheels, job_wheels.job_requirements(wheels, pins))
    assert done.returncode == 1
    assert "pip cannot install what the job needs: ERROR: " in job.exit_message
    assert "protobuf" in job.exit_message


def test_an_unconstrained_bundle_fails(job: Job, bundle: dict[str, bytes]) -> None:
    """A newer release of a package asks for more than the image has, and its dependency was left to the image."""
    newest = job.folder / "databricks_sdk-0.999.0-py3-none-any.whl"
    with zipfile.ZipFile(newest, "w") as wheel:
        information = "databricks_sdk-0.999.0.dist-info"
        metadata = (
            "Metadata-Version: 2.1\nName: databricks-sdk\nVersion: 0.999.0\nRequires-Dist: certifi>=2026.10\n"
        )
        wheel.writestr(f"{information}/METADATA", metadata)
        wheel.writestr(
            f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{information}/RECORD", "")
    left_out = ("databricks_sdk-", "certifi-")
    wheels = {name: content for name, content in bundle.items() if not name.startswith(left_out)}
    wheels[newest.name] = newest.read_bytes()
    names = ("mlflow-skinny", "sagemaker-mlflow", "matplotlib", "pydantic")
    pins = [f"{pin.name}=={pin.version}" for pin in job_wheels.read_lock() if pin.name in names]
    done = job.run(wheels, "\n".join(["--no-index", "--find-links .", *pins]) + "\n")
    assert done.returncode == 1
    assert "certifi>=2026.10" in done.stderr
    assert "certifi>=2026.10" in job.exit_message


def test_other_bytes_than_the_lock_s_are_not_installed(job: Job, bundle: dict[str, bytes]) -> None:
    requirements = job_wheels.job_requirements(bundle, job_wheels.read_lock())
    (name,) = (name for name in bundle if name.startswith("zipp-"))
    done = job.run({**bundle, name: bundle[name] + b" "}, requirements)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in job.exit_message
