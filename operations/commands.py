"""Commands that operations run as a person would type them."""

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from operations.errors import OperationError
from operations.factory import PROJECT

GRACE_SECONDS = 5.0  # for a command that is interrupted


def command(
    *words: str,
    environment: Mapping[str, str] | None = None,
    directory: Path = PROJECT,
    on_output: Callable[[str], None] = lambda _: None,
) -> str:
    """The command's output; raises OperationError with the end of it when the command fails."""
    process = None
    try:
        with _signals_held():
            process = subprocess.Popen(
                words,
                cwd=directory,
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        output, _ = process.communicate()
    except BaseException:
        if process is not None:
            _end(process)
        raise
    on_output(output)
    if process.returncode:
        end = "\n".join(output.splitlines()[-30:])
        raise OperationError(f"{end}\n`{' '.join(words)}` failed with exit status {process.returncode}.")
    return output


@contextmanager
def _signals_held() -> Iterator[None]:
    """Delay signals to the end of the block: one within Popen would leave a process that nobody knows."""
    held: list[int] = []
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # the others get none
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, lambda number, _: held.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for each in held:
        signal.raise_signal(each)


def _end(process: subprocess.Popen[str]) -> None:
    """End the process with all that it started: an interrupted CDK CLI would block the next synthesis."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def parse_exports(script: str) -> dict[str, str]:
    """The variables that a script of `export NAME=value` lines sets, PATH excepted."""
    exports: dict[str, str] = {}
    for line in script.splitlines():
        if line.startswith("export ") and not line.startswith("export PATH"):
            key, _, value = line.removeprefix("export ").partition("=")
            exports[key] = shlex.split(value)[0]
    return exports
