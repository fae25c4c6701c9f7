"""Commands in the image's environment: in namespaces as a serverless container has them, where the machine has them."""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localaws.runtime import isolation

CONTAINER_PORT = 8080
PROBE_TIMEOUT_SECONDS = 30.0
# As the image's Dockerfile sets them, and HOME, which its user has on an instance.
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "utf-8",
    "PYTHONUNBUFFERED": "1",
    "SAGEMAKER_SERVING_MODULE": "sagemaker_sklearn_container.serving:main",
    "SM_MODEL_DIR": "/opt/ml/model",
    "TEMP": "/home/model-server/tmp",
}


@dataclass(frozen=True)
class ImageContainer:
    """Runs commands of the image; `problem` says why they are not isolated, if they are not."""

    folder: Path
    problem: str

    @property
    def isolated(self) -> bool:
        return not self.problem

    @property
    def description(self) -> str:
        toolkit = f"AWS's own sagemaker-containers and gunicorn, packages of the image in {self.folder}"
        if self.isolated:
            return f"{toolkit}; unprivileged, read-only but /tmp, without network"
        return f"{toolkit}; NOT ISOLATED, as your own user ({self.problem})"

    def environment(self) -> dict[str, str]:
        return {**ENVIRONMENT, "PATH": f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin"}

    def isolate(
        self, command: Sequence[str], *, directory: Path, ml: Path, tmp: Path, port: int
    ) -> list[str]:
        """The command line that runs the command in namespaces; `directory` gets the container's root folder.

        Connections to `port` of this machine reach the container's own port 8080.
        """
        return _isolated(self.folder, command, directory=directory, ml=ml, tmp=tmp, port=port)


def without_isolation(folder: Path) -> str:
    """Why commands in this environment cannot be isolated on this machine; nothing where they can."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for part in ("ml", "tmp"):
            (directory / part).mkdir()
        program = [str(folder / "bin" / "python"), "-c", ""]
        command = _isolated(
            folder, program, directory=directory, ml=directory / "ml", tmp=directory / "tmp", port=0
        )
        try:
            answer = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=PROBE_TIMEOUT_SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"an isolated program did not end in {PROBE_TIMEOUT_SECONDS:.0f} s"
    if answer.returncode == 0:
        return ""
    return (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]


def _isolated(
    folder: Path, command: Sequence[str], *, directory: Path, ml: Path, tmp: Path, port: int
) -> list[str]:
    root = directory / "root"
    root.mkdir(exist_ok=True)
    python = folder / "bin" / "python"
    sandbox = isolation.Sandbox(
        root=str(root.absolute()),
        folders=[str(folder.absolute()), str(_interpreter_folder(folder))],
        ml=str(ml.absolute()),
        tmp=str(tmp.absolute()),
        port=port,
        container_port=CONTAINER_PORT,
        command=list(command),
    )
    return [str(python), isolation.__file__, json.dumps(sandbox)]


def _interpreter_folder(folder: Path) -> Path:
    """Where the interpreter is installed that the environment was made with."""
    return Path(os.path.realpath(folder / "bin" / "python")).parents[1]
