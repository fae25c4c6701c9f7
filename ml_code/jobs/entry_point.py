"""Starts the module that JOB_MODULE names in a job: `python3 entry_point.py --its arguments`.

A processing job has it beside source.tar.gz, the packaged code of one commit; a training job has that unpacked
around it. It needs nothing but Python and pip, and writes nowhere but to the folder for temporary files.
"""

import json
import os
import runpy
import subprocess
import sys
import tarfile
import tempfile
import traceback
import zipfile
from contextlib import chdir
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

EXIT_MESSAGE_BYTES = 1024
# Not beside this file: there SageMaker's training toolkit would install it before the job, into the image.
REQUIREMENTS = "requirements.txt"
RESOURCES_FILE = Path("/opt/ml/config/resourceconfig.json")
# These two names are in ml_code/contracts.py, too, which is not installed yet.
MODULE_VARIABLE = "JOB_MODULE"
MESSAGE_VARIABLE = "EXIT_MESSAGE_FILE"
SHARING_MODULES = ("ml_code.jobs.preprocess",)  # training jobs have no such file: all of them share


def run(work: Path) -> None:
    """Install the code, into `work` as far as it is the project's own, and run the module in this process."""
    source = Path(__file__).parent
    archive = source / "source.tar.gz"
    if archive.is_file():
        source = work / "source"
        with tarfile.open(archive) as tar:
            tar.extractall(source, filter="data")
    install_requirements(source / "wheels", work / "requirements")
    install_package(source, work / "package")
    with chdir(source):  # where models/ is
        runpy.run_module(os.environ[MODULE_VARIABLE], run_name="__main__", alter_sys=True)


def install_requirements(wheels: Path, folder: Path) -> None:
    """Install the wheels into a folder, so that the image's packages stay as they are."""
    requirements = (wheels / REQUIREMENTS).read_text().splitlines()
    pins = [line.split()[0].split("==") for line in requirements if "==" in line]
    if all(installed_version(name) == version for name, version in pins):
        return  # pip would take a second to find that out
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-cache-dir", "--requirement", REQUIREMENTS]
    run_pip([*command, "--dry-run"], wheels)  # whether they fit together with what the image has
    # Without dependencies: the list is complete, and with --target pip would look for the image's packages as well.
    run_pip([*command, "--no-deps", "--no-compile", "--target", str(folder)], wheels)
    sys.path.insert(0, str(folder))


def run_pip(command: list[str], wheels: Path) -> None:
    done = subprocess.run(command, cwd=wheels, check=False, stderr=subprocess.PIPE, text=True)
    print(done.stderr, file=sys.stderr, end="", flush=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        raise SystemExit(f"pip cannot install what the job needs: {' '.join(errors) or done.stderr}")


def install_package(source: Path, folder: Path) -> None:
    """The project's own wheel, pure Python: unpacked, because pip takes a second of every job for it."""
    (wheel,) = source.glob("wheels/model_factory-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)  # noqa: S202 - our own, and zipfile keeps members inside the folder
    sys.path.insert(0, str(folder))


def installed_version(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None


def has_work() -> bool:
    """Whether this instance has a part in the step: each runs this file, and where the work is not shared the first alone."""
    if not RESOURCES_FILE.is_file() or os.environ.get(MODULE_VARIABLE) in SHARING_MODULES:
        return True
    resources = json.loads(RESOURCES_FILE.read_text())
    return bool(resources["current_host"] == min(resources["hosts"]))


def write_exit_message(text: str) -> None:
    """SageMaker shows this file as the job's ExitMessage, so that the reason is seen without the log."""
    path = os.environ.get(MESSAGE_VARIABLE)
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        message = text.encode()[:EXIT_MESSAGE_BYTES].decode(errors="ignore")
        Path(path).write_text(message, encoding="utf-8")


def main() -> None:
    if not has_work():
        print("another instance runs the step: it does not share the work")
        return
    with tempfile.TemporaryDirectory(prefix="job-") as work:
        try:
            run(Path(work))
        except Exception as error:
            write_exit_message("".join(traceback.format_exception_only(error)).strip())
            traceback.print_exc()  # here, while the source that it quotes exists
            raise SystemExit(1) from error
        except SystemExit as error:
            if isinstance(error.code, str):
                write_exit_message(error.code)
            raise


if __name__ == "__main__":
    main()
