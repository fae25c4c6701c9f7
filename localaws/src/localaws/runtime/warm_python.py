"""Python jobs without the seconds that their imports take: forks of a parent that has the libraries loaded.

Only on Linux, where such a fork is safe, and only once the parent is ready: otherwise the caller starts a
plain process.
"""

import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from localaws.runtime import forking, warm_parent
from localaws.runtime.isolation import Sandbox
from localaws.runtime.processes import Process, ProcessTable

# The libraries' threads do not survive a fork, so that none may be started while they load.
_ENVIRONMENT = {
    **{name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")},
    "LANG": "C.UTF-8",
    "PYTHONIOENCODING": "UTF-8",
    "MPLBACKEND": "Agg",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


class WarmProcess:
    """A forked job with its whole process group; it has the interface of processes.Process."""

    def __init__(
        self, pid: int, connection: socket.socket, reader: threading.Thread, forget: Callable[[int], None]
    ) -> None:
        self.pid = pid
        self._connection = connection
        self._reader = reader
        self._forget = forget
        self._code: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._wait_for_end, daemon=True).start()

    def wait(self, timeout_seconds: float | None = None) -> int:
        """The exit code (negative: the signal); raises subprocess.TimeoutExpired."""
        if not self._ended.wait(timeout_seconds):
            raise subprocess.TimeoutExpired(str(self.pid), timeout_seconds or 0.0)
        self.kill()  # what it left running in its group
        self._reader.join()
        assert self._code is not None
        return self._code

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    def terminate(self, grace_seconds: float = 5.0) -> None:
        """SIGTERM to the group, SIGKILL after the grace period."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        self._ended.wait(grace_seconds)
        self.kill()
        self._ended.wait()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._forget(self.pid)

    def _wait_for_end(self) -> None:
        status = self._connection.recv(4)
        self._connection.close()
        # No status: the parent itself was killed, and its children with it.
        self._code = struct.unpack("!i", status)[0] if status else -signal.SIGKILL
        self._ended.set()


class ForkedPair:
    """A program in a container, and what forks in the container for it."""

    def __init__(self, program: WarmProcess, forks: WarmProcess) -> None:
        self.pid = program.pid
        self._program = program
        self._forks = forks

    def wait(self, timeout_seconds: float | None = None) -> int:
        code = self._program.wait(timeout_seconds)
        self._forks.kill()
        return code

    @property
    def running(self) -> bool:
        return self._program.running

    def terminate(self, grace_seconds: float = 5.0) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._forks.pid, signal.SIGTERM)
        self._program.terminate(grace_seconds)
        self._forks.kill()


class WarmPython:
    """Starts the parent in the background; forks jobs from it."""

    def __init__(
        self,
        processes: ProcessTable,
        directory: Path,
        libraries: Sequence[str] = warm_parent.LIBRARIES,
        *,
        python: Path = Path(sys.executable),
        layer: Path | None = None,
    ) -> None:
        self.layer = layer  # made by layers.LayerStore; its libraries come before the interpreter's
        self.messages: list[str] = []  # what the parent printed
        self._directory = directory
        self._address = f"socket-{secrets.token_hex(4)}"
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[int, WarmProcess] = {}
        self._parent: Process | None = None
        self._processes = processes
        if sys.platform == "linux":
            self._start(python, libraries)

    def runs(self, command: Sequence[str]) -> bool:
        """Whether a fork can stand for this command now."""
        return self.is_ready and forking.runs(command)

    @property
    def is_ready(self) -> bool:
        return self._ready.is_set() and self._parent is not None and self._parent.running

    def wait_until_ready(self, timeout_seconds: float) -> bool:
        return self._ready.wait(timeout_seconds)

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        on_line: Callable[[str], None],
        sandbox: Sandbox | None = None,
        role: str = warm_parent.ALONE,
    ) -> WarmProcess:
        """Start a Python program as ProcessTable.start does, in a container where there is a sandbox.

        VIRTUAL_ENV names an overlay that it runs in. `directory` is the container's.
        """
        read_end, write_end = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        connection = self._connect()
        try:
            request = {
                "arguments": list(command[1:]),
                "environment": dict(environment),
                "directory": str(directory.absolute()),
                "sandbox": sandbox,
                "role": role,
            }
            forking.send_request(connection, request, [nothing, write_end, write_end])
        finally:
            os.close(nothing)
            os.close(write_end)
        (pid,) = forking.HEADER.unpack(_exactly(connection, forking.HEADER.size))
        self._processes.watch(pid, command)  # it leads a session of its own
        reader = threading.Thread(target=_read_lines, args=(read_end, on_line), daemon=True)
        reader.start()
        process = WarmProcess(pid, connection, reader, self._forget)
        with self._lock:
            self._running[pid] = process
        connection.sendall(b"g")
        return process

    def close(self) -> None:
        """End all forks, then the parent."""
        with self._lock:
            left = list(self._running.values())
        for process in left:
            process.terminate(grace_seconds=2.0)
        if self._parent is not None:
            self._parent.terminate(grace_seconds=1.0)

    def _start(self, python: Path, libraries: Sequence[str]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o700)  # who reaches the socket runs programs as this user
        self._parent = self._processes.start(
            [
                *(str(python), "-c", warm_parent.PROGRAM, warm_parent.SOURCE),
                *(self._address, str(self.layer or ""), *libraries),
            ],
            environment={**_ENVIRONMENT, "HOME": str(self._directory.absolute()), "PATH": os.defpath},
            directory=self._directory,
            on_line=self._on_line,
        )

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The path of a socket may have about a hundred characters, the state folder's any number.
        folder = os.open(self._directory, os.O_RDONLY)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{self._address}")
        finally:
            os.close(folder)
        return connection

    def _on_line(self, line: str) -> None:
        self.messages.append(line)
        if line == warm_parent.READY:
            self._ready.set()

    def _forget(self, pid: int) -> None:
        with self._lock:
            known = self._running.pop(pid, None)
        if known is not None:
            self._processes.release(pid)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionError("The warm Python parent ended.")
        data += chunk
    return bytes(data)


def _read_lines(descriptor: int, on_line: Callable[[str], None]) -> None:
    with os.fdopen(descriptor, errors="replace") as lines:
        for line in lines:
            on_line(line.rstrip("\n"))
