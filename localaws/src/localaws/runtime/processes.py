"""Processes that never outlive the local AWS, however it ends.

Each child leads a session of its own. A warden process, which holds the other end of a pipe, gets the id of every
such session and kills those left when the pipe closes: that is, even when the local AWS is killed with SIGKILL.
"""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

READ_GRACE_SECONDS = 5.0


class Process:
    """A running child with its whole process group."""

    def __init__(
        self, popen: subprocess.Popen[str], reader: threading.Thread, forget: Callable[[int], None]
    ) -> None:
        self.pid = popen.pid
        self._popen = popen
        self._reader = reader
        self._forget = forget

    def wait(self, timeout_seconds: float | None = None) -> int:
        """The exit code, once the process ended and its output was read; raises subprocess.TimeoutExpired."""
        code = self._popen.wait(timeout_seconds)
        self.kill()  # what it left running in its group
        # One that fled into a session of its own may hold the pipe open without end.
        self._reader.join(READ_GRACE_SECONDS)
        return code

    @property
    def command(self) -> str:
        arguments = self._popen.args
        assert isinstance(arguments, list)
        return shlex.join(arguments).splitlines()[0]

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def terminate(self, grace_seconds: float = 5.0) -> None:
        """SIGTERM to the group, SIGKILL after the grace period."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_seconds)
        self.kill()
        self._popen.wait()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._forget(self.pid)


class ProcessTable:
    """Starts children and sees to their end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, Process] = {}
        self._watched: dict[int, str] = {}  # others' processes: their command lines
        read_end, self._pipe = os.pipe()
        self._warden = subprocess.Popen(
            [sys.executable, "-S", "-E", str(Path(__file__).with_name("warden.py"))],
            stdin=read_end,
            start_new_session=True,
        )
        os.close(read_end)

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        on_line: Callable[[str], None],
    ) -> Process:
        """Start a command with exactly this environment; each line of stdout and stderr goes to `on_line`."""
        popen = subprocess.Popen(
            list(command),
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._warn(f"+{popen.pid}")
        reader = threading.Thread(target=_read_lines, args=(popen, on_line), daemon=True)
        process = Process(popen, reader, self._forget)
        with self._lock:
            self._running[popen.pid] = process
        reader.start()
        return process

    def running(self) -> list[tuple[int, str]]:
        """Process id and command line of each child."""
        with self._lock:
            return [
                *((process.pid, process.command) for process in self._running.values()),
                *self._watched.items(),
            ]

    def close(self) -> None:
        """End all children, then the warden."""
        with self._lock:
            left = list(self._running.values())
        for process in left:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in left:
            process.terminate(grace_seconds=2.0)
        os.close(self._pipe)
        self._warden.wait()

    def watch(self, pid: int, command: Sequence[str]) -> None:
        """Let the warden end the process group of `pid`, should the local AWS end first."""
        with self._lock:
            self._watched[pid] = shlex.join(command).splitlines()[0]
        self._warn(f"+{pid}")

    def release(self, pid: int) -> None:
        """The group has ended: its number may be another's soon."""
        with self._lock:
            self._watched.pop(pid, None)
        self._warn(f"-{pid}")

    def _forget(self, pid: int) -> None:
        with self._lock:
            known = self._running.pop(pid, None)
        if known is not None:
            self._warn(f"-{pid}")

    def _warn(self, message: str) -> None:
        os.write(self._pipe, f"{message}\n".encode())


def _read_lines(popen: subprocess.Popen[str], on_line: Callable[[str], None]) -> None:
    assert popen.stdout is not None
    for line in popen.stdout:
        on_line(line.rstrip("\n"))
