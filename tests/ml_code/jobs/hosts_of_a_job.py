"""The hosts of one job as processes, for tests of jobs on several instances."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


@contextlib.contextmanager
def started(
    program: Path, folder: Path, names: Sequence[str], kind: str
) -> Iterator[list["subprocess.Popen[str]"]]:
    """A process for each name, of kind `missing` for the first only; they end with the block."""
    processes = [
        subprocess.Popen(
            [sys.executable, str(program), str(folder), name, *names, kind],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in names[: 1 if kind == "missing" else len(names)]
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
