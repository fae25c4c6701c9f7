"""Commands that operations run as a person would type them."""

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

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
    process = subprocess.Popen(
        words,
        cwd=directory,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate()
    except BaseException:
        _end(process)
        raise
    on_output(output)
    if process.returncode:
        end = "\n".join(output.splitlines()[-30:])
        raise OperationError(f"{end}\n`{' '.join(words)}` failed with exit status {process.returncode}.")
    return output


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
