"""One container of the local AWS: a directory that stands for /opt/ml, an environment and a process.

There is no mount namespace: every "/opt/ml" in commands, variables and hyperparameters is rewritten to the
container's directory.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.runtime.environments import machine_environment, overlay_environment
from localaws.runtime.warm_python import WarmPython
from localaws.services.sagemaker.jobs.requirements import MetRequirements

ROOT = "/opt/ml"
_ROOT_PATTERN = re.compile(r"/opt/ml(?![A-Za-z0-9_-])")
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
    """What processes.Process offers, and a fork of the warm parent as well."""

    pid: int

    def wait(self, timeout_seconds: float | None = None) -> int: ...

    @property
    def running(self) -> bool: ...

    def terminate(self, grace_seconds: float = 5.0) -> None: ...


@dataclass(frozen=True)
class Host:
    """What all containers of this machine share."""

    account: Account
    warm_python: WarmPython
    met_requirements: MetRequirements


class CommandNotFound(Exception):
    """The image has no such command."""


class Container:
    """Directory and environment of one container; it may run several commands after another."""

    def __init__(self, host: Host, directory: Path) -> None:
        self._host = host
        self.directory = directory
        self.root = directory / "ml"
        self._temporary = directory / "tmp"
        for path in (self.root, self._temporary, directory / "home"):
            path.mkdir(parents=True)
        self._overlay = overlay_environment(directory / "python")

    @property
    def python(self) -> str:
        return str(self.directory.absolute() / "python" / "bin" / "python")

    def installed(self) -> list[str]:
        """What was installed into the container, beyond its image."""
        (site_packages,) = (self.directory / "python").glob("lib/python*/site-packages")
        return sorted(path.name for path in site_packages.iterdir() if path.suffix != ".pth")

    def path(self, path: str) -> Path:
        """Where a path below /opt/ml lies on this machine; ServiceError for any other path."""
        clean = os.path.normpath(path)
        if clean != ROOT and not clean.startswith(f"{ROOT}/"):
            raise ServiceError("ValidationException", f"Local path {path!r} must be below {ROOT}/.")
        return self.root / clean[len(ROOT) :].lstrip("/")

    def localise(self, value: Any) -> Any:
        """The value with /opt/ml rewritten in every text of it."""
        if isinstance(value, str):
            return _ROOT_PATTERN.sub(lambda _: str(self.root.absolute()), value)
        if isinstance(value, Mapping):
            return {key: self.localise(item) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [self.localise(item) for item in value]
        return value

    def environment(self, *, aws: Mapping[str, str], request: Mapping[str, str]) -> dict[str, str]:
        """Everything that a process in the container sees: the machine's network settings, the image's
        variables, the way to AWS, what the request asks for."""
        machine = machine_environment(os.environ, cache_dir=self._host.account.state_dir / "cache")
        return {
            **machine,
            **_IMAGE_ENVIRONMENT,
            **_THREADS,
            "HOME": str(self.directory.absolute() / "home"),
            "TMPDIR": str(self._temporary.absolute()),
            **self._overlay,
            **aws,
            **self.localise(request),
        }

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        working_directory: Path | None = None,
        on_line: Callable[[str], None],
    ) -> RunningProcess:
        """Raises CommandNotFound when the command does not exist."""
        local_command: list[str] = self.localise(command)
        directory = working_directory or self.directory / "home"
        warm = self._host.warm_python
        start = warm.start if warm.runs(local_command) else self._host.account.processes.start
        try:
            return start(local_command, environment=environment, directory=directory, on_line=on_line)
        except (FileNotFoundError, PermissionError) as error:
            raise CommandNotFound(command[0]) from error

    def remove(self) -> None:
        shutil.rmtree(self.directory)


def wait(process: RunningProcess, timeout_seconds: float | None) -> int | None:
    """The exit code, or None when the time is up."""
    try:
        return process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        return None
