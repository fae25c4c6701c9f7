"""Commands in the image's environment: in namespaces as a container of SageMaker has them, where the machine has them."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localaws.runtime import isolation
from localaws.runtime.isolation import Sandbox

CONTAINER_PORT = 8080
PROBE_TIMEOUT_SECONDS = 30.0
HOSTS = "127.0.0.1 localhost algo-1\n::1 localhost\n"
# As the image's Dockerfile sets them, and HOME, which its user has on an instance.
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "utf-8",
    "PYTHONUNBUFFERED": "1",
    "SAGEMAKER_SERVING_MODULE": "sagemaker_sklearn_container.serving:main",
    "SAGEMAKER_TRAINING_MODULE": "sagemaker_sklearn_container.training:main",
    "SM_CHECKPOINT_CONFIG_FILE": "/opt/ml/input/config/checkpointconfig.json",
    "SM_INPUT": "/opt/ml/input",
    "SM_INPUT_DATA_CONFIG_FILE": "/opt/ml/input/config/inputdataconfig.json",
    "SM_INPUT_TRAINING_CONFIG_FILE": "/opt/ml/input/config/hyperparameters.json",
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
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def description(self) -> str:
        toolkits = f"AWS's own toolkits and gunicorn, packages of the image in {self.folder}"
        if self.isolated:
            return f"{toolkits}; unprivileged, with no files of this machine to write to"
        return f"{toolkits}; NOT ISOLATED, as your own user ({self.problem})"

    def environment(self) -> dict[str, str]:
        return {**ENVIRONMENT, "PATH": f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin"}

    def sandbox(
        self,
        directory: Path,
        *,
        ml: Path,
        tmp: Path,
        ml_writable: bool,
        network: bool,
        port: int = 0,
        hosts_file: str = HOSTS,
    ) -> Sandbox:
        """Namespaces for a container; `directory` gets its root folder.

        Connections to `port` of this machine reach the container's own port 8080.
        """
        root, hosts = directory / "root", directory / "hosts"
        root.mkdir(exist_ok=True)
        hosts.write_text(hosts_file)
        if os.getuid() == 0:  # its user is another one
            for folder in (ml, tmp):
                _give_away(folder)
        return {
            "root": str(root.absolute()),
            "folders": [str(self.folder.absolute()), str(_interpreter_folder(self.folder))],
            "ml": str(ml.absolute()),
            "ml_writable": ml_writable,
            "tmp": str(tmp.absolute()),
            "hosts": str(hosts.absolute()),
            "network": network,
            "port": port,
            "container_port": CONTAINER_PORT,
        }

    def isolated_command(self, sandbox: Sandbox, command: Sequence[str]) -> list[str]:
        """The command line that runs the command in namespaces."""
        return [str(self.python), isolation.__file__, json.dumps(sandbox), *command]


def without_isolation(folder: Path) -> str:
    """The reason why commands of this environment cannot be isolated on this machine; empty where they can."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        parts = [directory / part for part in ("ml", "tmp")]
        for part in parts:
            part.mkdir()
        container = ImageContainer(folder, problem="")
        sandbox = container.sandbox(directory, ml=parts[0], tmp=parts[1], ml_writable=True, network=False)
        command = container.isolated_command(sandbox, [str(container.python), "-c", "import numpy"])
        try:
            answer = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=PROBE_TIMEOUT_SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"an isolated program did not end in {PROBE_TIMEOUT_SECONDS:.0f} s"
    if answer.returncode == 0:
        return ""
    return (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]


def _give_away(folder: Path) -> None:
    for path, _, files in os.walk(folder):
        for name in ("", *files):
            shutil.chown(Path(path, name), isolation.NOBODY, isolation.NOBODY)


def _interpreter_folder(folder: Path) -> Path:
    """The folder of the interpreter that the environment was made with."""
    return Path(os.path.realpath(folder / "bin" / "python")).parents[1]
