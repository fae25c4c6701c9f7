"""Starts a step in a processing job: `python3 job.py ml_code.steps.preprocess --its arguments`.

It lies beside source.tar.gz, the packaged code of one commit, and needs nothing but Python and pip.
"""

import json
import os
import runpy
import subprocess
import sys
import tarfile
import tempfile
import traceback
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

EXIT_MESSAGE_BYTES = 1024
RESOURCES_FILE = Path("/opt/ml/config/resourceconfig.json")


def run(source: Path, arguments: list[str]) -> None:
    """Unpacks the code into `source` and runs the module there, in this process."""
    if not arguments:
        raise SystemExit("usage: job.py MODULE [ARGUMENT ...]")
    with tarfile.open(Path(__file__).with_name("source.tar.gz")) as archive:
        archive.extractall(source, filter="data")
    install_requirements(source)
    sys.path.insert(0, str(source))
    sys.argv = arguments  # sys.argv[0] becomes the module's file
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def install_requirements(source: Path) -> None:
    requirements = (source / "requirements.txt").read_text().splitlines()
    pins = [line.split("==") for line in requirements if "==" in line]
    if all(installed_version(name) == version for name, version in pins):
        return  # pip would take a second to find that out
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # The wheels are named relative to the requirements file.
    subprocess.run([*command, "--requirement", "requirements.txt"], cwd=source, check=True)


def installed_version(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None


def is_first_host() -> bool:
    """With an instance count above one each instance runs this file, and the steps do not share their work."""
    if not RESOURCES_FILE.is_file():
        return True
    resources = json.loads(RESOURCES_FILE.read_text())
    return bool(resources["current_host"] == min(resources["hosts"]))


def write_exit_message(text: str) -> None:
    """SageMaker shows this file as the job's ExitMessage: whoever reads that needs no log."""
    path = os.environ.get("EXIT_MESSAGE_FILE")
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        message = text.encode()[:EXIT_MESSAGE_BYTES].decode(errors="ignore")
        Path(path).write_text(message, encoding="utf-8")


def main() -> None:
    if not is_first_host():
        print("another instance runs the step: it does not share the work")
        return
    with tempfile.TemporaryDirectory(prefix="source-") as source:
        try:
            run(Path(source), sys.argv[1:])
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
