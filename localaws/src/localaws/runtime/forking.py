"""Forks of a warm parent in place of `subprocess`'s programs; runs in the image's Python, too."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

HEADER = struct.Struct("!I")
STANDARD_DESCRIPTORS = 3
PYTHONS = ("python", "python3")
ADDRESS = "/tmp/.localaws-python"  # noqa: S108 - in a container, whose /tmp is its own


class Forking:
    """A replacement of subprocess's fork and exec, which asks the warm process for a fork when the program is Python."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._original: Callable[..., int] = subprocess._fork_exec  # type: ignore[attr-defined]  # noqa: SLF001

    def __call__(self, *given: Any) -> int:
        (arguments, _, _, _, directory, variables, *_) = given
        stdin, _, _, stdout, _, stderr, errors_read, errors_write = given[6:14]
        new_session, *special = given[15:22]
        words = _interpreted([os.fsdecode(word) for word in arguments])
        (_, _, _, passed) = given[:4]
        plain = not new_session and special == [-1, None, None, None, -1, None] and passed == (errors_write,)
        if not plain or not runs(words):
            return self._original(*given)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if pid != 0:
            return pid
        code = 1
        try:
            os.close(errors_read)
            os.close(errors_write)  # says that the program has begun
            request = {
                "arguments": words[1:],
                "environment": _variables(variables),
                "directory": os.fsdecode(directory or Path.cwd()),
            }
            pairs = ((stdin, 0), (stdout, 1), (stderr, 2))
            code = self._ask(request, [own if own != -1 else standard for own, standard in pairs])
        finally:
            os._exit(code)

    def _ask(self, request: dict[str, Any], descriptors: list[int]) -> int:
        mine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mine.connect(self._address)
        send_request(mine, request, descriptors)
        # The reader of the program's output waits for its end, not for that of this process.
        os.closerange(0, STANDARD_DESCRIPTORS)
        for descriptor in descriptors:
            with suppress(OSError):
                os.close(descriptor)
        mine.recv(HEADER.size)
        mine.sendall(b"g")
        (code,) = struct.unpack("!i", mine.recv(4))
        if code < 0:
            with suppress(OSError):  # SIGKILL has no handler
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        return int(code)


def runs(command: Sequence[str]) -> bool:
    """Whether a fork can stand for this command: a Python script, -c, or pip."""
    if len(command) < 2 or (Path(command[0]).name not in PYTHONS and command[0] != sys.executable):
        return False
    path = Path(command[1])
    script = path.suffix == ".py" or (path.is_absolute() and path.parent == Path(command[0]).parent)
    return command[1] == "-c" or script or list(command[1:3]) == ["-m", "pip"]


def _interpreted(command: list[str]) -> list[str]:
    """A console script of the environment by its interpreter, anything else as it is."""
    script = Path(sys.executable).parent / command[0]
    if "/" in command[0] or script.suffix or command[0].startswith("python") or not script.is_file():
        return command
    with script.open("rb") as file:
        return [sys.executable, str(script), *command[1:]] if file.read(2) == b"#!" else command


def send_request(connection: socket.socket, request: dict[str, Any], descriptors: Sequence[int]) -> None:
    body = json.dumps(request).encode()
    socket.send_fds(connection, [HEADER.pack(len(body))], descriptors)
    connection.sendall(body)


def _variables(given: Sequence[bytes] | None) -> dict[str, str]:
    if given is None:
        return dict(os.environ)
    pairs = (os.fsdecode(item).partition("=") for item in given)
    return {name: value for name, _, value in pairs}


def receive_request(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, descriptors, _, _ = socket.recv_fds(connection, HEADER.size, STANDARD_DESCRIPTORS)
    (size,) = HEADER.unpack(head)
    body = bytearray()
    while len(body) < size:
        body += connection.recv(size - len(body))
    request: dict[str, Any] = json.loads(body)
    return request, descriptors
