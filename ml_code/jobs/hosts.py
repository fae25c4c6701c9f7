"""The hosts of a job, as SageMaker tells each of them."""

import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path

CONFIG_FILES = (
    Path("/opt/ml/config/resourceconfig.json"),  # of a processing job
    Path("/opt/ml/input/config/resourceconfig.json"),  # of a training job
)
# Hosts of one job start minutes apart; AWS's own XGBoost container waits as long for their names.
START_SECONDS = 900.0
_RETRY_SECONDS = 1.0


class HostError(Exception):
    """A host of the job did not come, or is lost; the text says which."""


@dataclass(frozen=True)
class Host:
    """One host among all of its job; the leader is the first by name."""

    name: str
    names: tuple[str, ...]

    @property
    def number(self) -> int:
        return self.names.index(self.name)

    @property
    def is_alone(self) -> bool:
        return len(self.names) == 1

    @property
    def leader(self) -> str:
        return self.names[0]

    @property
    def leads(self) -> bool:
        return self.name == self.leader


def read_hosts() -> Host:
    """Outside of a job, this process is the only host."""
    for path in CONFIG_FILES:
        if path.is_file():
            resources = json.loads(path.read_text())
            return Host(resources["current_host"], tuple(sorted(resources["hosts"], key=_order)))
    return Host("algo-1", ("algo-1",))


def _order(name: str) -> tuple[int, str]:
    """The order of the numbers: algo-2 before algo-10."""
    return len(name), name


def address_of(name: str, timeout_seconds: float = START_SECONDS) -> str:
    """The IP address of a host, whose name may be known only when it has started."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return socket.gethostbyname(name)
        except OSError as error:
            if time.monotonic() > deadline:
                raise HostError(
                    f"the name of host {name} was not known within {timeout_seconds:.0f} s ({error}): it did not start"
                ) from error
            time.sleep(_RETRY_SECONDS)
