"""A signal that ends an operation ends what it started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.commands import command
from operations.errors import OperationError
from operations.factory import PROJECT

# As `make deploy` does: a shell that starts others and waits.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and one of nohup this one
from operations.commands import command
from operations.errors import run
import subprocess, time
# A busy machine may be slow to go on behind the start of a process.
start = subprocess.Popen.__init__
def start_slowly(self, *arguments, **options):
    start(self, *arguments, **options)
    time.sleep({seconds})
subprocess.Popen.__init__ = start_slowly
run(lambda: command("sh", "-c", "sleep 3600.{mark} & echo started > {file}; sleep 3600.{mark}") and None)
"""


def running(mark: int) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if line.startswith(f"sleep 3600.{mark}"):
            found.append(line)
    return found


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not (done := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return done


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("seconds", [0, 1])
def test_a_signal_ends_what_a_command_started(number: signal.Signals, seconds: int, tmp_path: Path) -> None:
    started, mark = tmp_path / "started", os.getpid() * 1000 + number * 10 + seconds
    program = PROGRAM.format(mark=mark, file=started, seconds=seconds)
    operation = subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT, stderr=subprocess.PIPE, text=True
    )
    assert eventually(started.exists)
    assert eventually(lambda: len(running(mark)) == 2)
    operation.send_signal(number)
    _, said = operation.communicate(timeout=20)
    assert (operation.returncode, said) == (130, "interrupted\n")
    assert running(mark) == []


def test_a_failed_command_is_told_by_its_end() -> None:
    with pytest.raises(OperationError, match=r"(?s)the end\n`sh -c .*` failed with exit status 3"):
        command("sh", "-c", "echo the end; exit 3")
