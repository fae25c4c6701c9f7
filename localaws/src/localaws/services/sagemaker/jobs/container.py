"""One container of the local AWS: a directory for /opt/ml, an environment and a process.

In the image's environment with namespaces it is as SageMaker's. Without namespaces every "/opt/ml" in commands, variables
and hyperparameters is rewritten to the container's directory; without the image's environment, the packages of this
machine stand for the image's.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from localaws.core.errors import ServiceError
from localaws.runtime.environments import machine_environment, overlay_environment
from localaws.runtime.forking import ADDRESS
from localaws.runtime.image_container import ImageContainer
from localaws.runtime.isolation import Sandbox
from localaws.runtime.warm_parent import FORKED, FORKS
from localaws.runtime.warm_python import ForkedPair, WarmPython
from localaws.services.sagemaker.jobs.cluster import ALONE, Cluster
from localaws.services.sagemaker.jobs.host import Host

ROOT = "/opt/ml"
_ROOT_PATTERN = re.compile(r"/opt/ml(?![A-Za-z0-9_-])")
FORKS_TIMEOUT_SECONDS = 20.0
SERVE, TRAIN = "serve", "train"  # AWS's toolkits
# As the scikit-learn image sets them.
_IMAGE_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "UTF-8",
    "PYTHONUNBUFFERED": "1",
}
# Jobs run side by side on the cores of one machine.
_THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


class RunningProcess(Protocol):
    """A running process: processes.Process, or a fork of the warm parent."""

    pid: int

    def wait(self, timeout_seconds: float | None = None) -> int: ...

    @property
    def running(self) -> bool: ...

    def terminate(self, grace_seconds: float = 5.0) -> None: ...


class CommandNotFound(Exception):
    """The image has no such command."""


class Container:
    """Directory and environment of one container; it may run several commands after another."""

    def __init__(
        self,
        host: Host,
        directory: Path,
        image: ImageContainer | None,
        *,
        network: bool = True,
        ml_writable: bool = True,
        port: int = 0,
        cluster: Cluster = ALONE,
        number: int = 1,
    ) -> None:
        self._host = host
        self.cluster = cluster
        self.number = number
        self.name = cluster.names[number - 1]
        self._network = network
        self._ml_writable = ml_writable
        self._port = port  # of this machine, for requests to the container
        self.image = image
        self.directory = directory
        self.root = directory / "ml"
        self.temporary = directory / "tmp"
        for path in (self.root, self.temporary, directory / "home"):
            path.mkdir(parents=True)
        self._overlay = {} if image else overlay_environment(directory / "python")

    @property
    def isolated(self) -> bool:
        return self.image is not None and self.image.isolated

    @property
    def python(self) -> str:
        return str(self.directory.absolute() / "python" / "bin" / "python")

    def installed(self) -> list[str]:
        """The folders of packages that were installed into the container, beyond its image."""
        (site_packages,) = (self.directory / "python").glob("lib/python*/site-packages")
        return sorted(path.name for path in site_packages.iterdir() if path.suffix != ".pth")

    def path(self, path: str) -> Path:
        """The place of a path below /opt/ml on this machine; ServiceError for any other path."""
        clean = os.path.normpath(path)
        if clean != ROOT and not clean.startswith(f"{ROOT}/"):
            raise ServiceError("ValidationException", f"Local path {path!r} must be below {ROOT}/.")
        return self.root / clean[len(ROOT) :].lstrip("/")

    def localise(self, value: Any) -> Any:
        """The value with /opt/ml rewritten in every text of it, where it is elsewhere."""
        if self.isolated:
            return value
        if isinstance(value, str):
            return _ROOT_PATTERN.sub(lambda _: str(self.root.absolute()), value)
        if isinstance(value, Mapping):
            return {key: self.localise(item) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [self.localise(item) for item in value]
        return value

    def environment(self, *, aws: Mapping[str, str], request: Mapping[str, str]) -> dict[str, str]:
        """All variables of a process in the container: the image's, those that lead to AWS, the request's.

        Without the image's environment, this machine's network settings, too.
        """
        if self.image is not None and self.image.isolated:
            return {**self.image.environment(), **_THREADS, **aws, **request}
        if self.image is not None:
            base = {**self.localise(self.image.environment()), **self.moved()}
        else:
            machine = machine_environment(os.environ, cache_dir=self._host.account.state_dir / "cache")
            base = {**machine, **_IMAGE_ENVIRONMENT, **self._overlay}
        own = {
            "HOME": str(self.directory.absolute() / "home"),
            "TMPDIR": str(self.temporary.absolute()),
        }
        return {**base, **_THREADS, **own, **aws, **self.localise(request)}

    def moved(self) -> dict[str, str]:
        """Variables that lead AWS's toolkits to another /opt/ml and port, and say that no host has the name algo-1."""
        return {
            "SAGEMAKER_BASE_DIR": str(self.root.absolute()),
            "SAGEMAKER_BIND_TO_PORT": str(self._port),
            "SM_STUDIO_LOCAL_MODE": "true",
        }

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        working_directory: Path | None = None,
        on_line: Callable[[str], None],
    ) -> RunningProcess:
        """Raise CommandNotFound when the command does not exist."""
        if "/" not in command[0] and shutil.which(command[0], path=environment["PATH"]) is None:
            raise CommandNotFound(command[0])
        if self.image is not None and self.image.isolated:
            return self._start_isolated(self.image, list(command), environment, on_line)
        local_command: list[str] = self.localise(command)
        directory = working_directory or self.directory / "home"
        warm = self._host.warm_python
        try:
            if self.image is None and warm is not None and warm.runs(local_command):
                return warm.start(
                    local_command, environment=environment, directory=directory, on_line=on_line
                )
            return self._host.account.processes.start(
                local_command, environment=environment, directory=directory, on_line=on_line
            )
        except (FileNotFoundError, PermissionError) as error:
            raise CommandNotFound(command[0]) from error

    def _start_isolated(
        self,
        image: ImageContainer,
        command: list[str],
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> RunningProcess:
        toolkit = command[0] in (SERVE, TRAIN)
        # AWS's toolkits run in the image's packages, before a job has installed anything.
        warm = self._host.warm_server if toolkit else self._host.warm_python
        if toolkit:
            training = command[0] == TRAIN
            command = [str(image.python), str(image.folder / "bin" / command[0]), *command[1:]]
            if training and warm is not None and warm.runs(command):
                if pair := self._start_training(image, warm, command, environment, on_line):
                    return pair
                warm = None
        if warm is not None and warm.runs(command):
            return warm.start(
                command,
                environment=environment,
                directory=Path("/"),
                on_line=on_line,
                sandbox=self._sandbox(image, warm.layer),
            )
        return self._host.account.processes.start(
            image.isolated_command(self._sandbox(image, None), command),
            environment=environment,
            directory=self.directory,
            on_line=on_line,
        )

    def _start_training(
        self,
        image: ImageContainer,
        warm: WarmPython,
        command: list[str],
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> RunningProcess | None:
        """The toolkit as a fork of one process, its script as a fork of another, which has the job's own libraries."""
        scripts = self._host.warm_python
        if scripts is None or not scripts.is_ready:
            return None
        start = {"environment": environment, "directory": Path("/"), "on_line": on_line}
        sandbox = self._sandbox(image, scripts.layer)
        forks = scripts.start(["python3", "-c", ""], **start, sandbox=sandbox, role=FORKS)  # type: ignore[arg-type]
        address = self.temporary / Path(ADDRESS).name
        deadline = time.monotonic() + FORKS_TIMEOUT_SECONDS
        while not address.exists():
            if not forks.running or time.monotonic() > deadline:
                forks.kill()
                return None
            time.sleep(0.01)
        program = warm.start(command, **start, sandbox=sandbox, role=FORKED)  # type: ignore[arg-type]
        return ForkedPair(program, forks)

    def _sandbox(self, image: ImageContainer, layer: Path | None) -> Sandbox:
        sandbox = image.sandbox(
            self.directory,
            ml=self.root,
            tmp=self.temporary,
            ml_writable=self._ml_writable,
            network=self._network,
            port=self._port,
            hosts_file=self.cluster.hosts_file,
        )
        if layer is not None:
            sandbox["folders"].append(str(layer))
        return sandbox

    def remove(self) -> None:
        self._host.keep_wheels(self.temporary)
        shutil.rmtree(self.directory)


def wait(process: RunningProcess, timeout_seconds: float | None) -> int | None:
    """The exit code, or None when the time is up."""
    try:
        return process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        return None
