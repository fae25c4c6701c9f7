"""Children end with their parent, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from localaws.runtime.processes import ProcessTable

PARENT = """
import sys, time
from pathlib import Path
from localaws.runtime.processes import ProcessTable
child = ["sh", "-c", "sleep 600 & sleep 600"]
process = ProcessTable().start(child, environment={"PATH": sys.argv[1]}, directory=Path("/"), on_line=print)
print(process.pid, flush=True)
time.sleep(600)
"""


def group_is_gone(group: int, within_seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_lines_arrive_and_the_exit_code_is_told(tmp_path: Path) -> None:
    table, lines = ProcessTable(), list[str]()
    command = ["sh", "-c", "echo one; echo two >&2; exit 3"]
    process = table.start(command, environment=dict(os.environ), directory=tmp_path, on_line=lines.append)
    assert process.wait(10) == 3
    assert lines == ["one", "two"]
    assert table.running() == []
    table.close()


def test_close_ends_what_is_left(tmp_path: Path) -> None:
    table = ProcessTable()
    process = table.start(["sleep", "600"], environment=dict(os.environ), directory=tmp_path, on_line=print)
    table.close()
    assert group_is_gone(process.pid)


def test_no_child_survives_a_killed_parent() -> None:
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, os.environ["PATH"]], stdout=subprocess.PIPE, text=True, cwd=root
    )
    assert parent.stdout is not None
    group = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert group_is_gone(group)
