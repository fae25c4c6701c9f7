"""Commands that operations run as a person would type them."""

import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from operations.errors import OperationError
from operations.factory import PROJECT


def command(
    *words: str,
    environment: Mapping[str, str] | None = None,
    directory: Path = PROJECT,
    on_output: Callable[[str], None] = lambda _: None,
) -> str:
    """The command's output; raises OperationError with the end of it when the command fails."""
    result = subprocess.run(
        words,
        cwd=directory,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    on_output(result.stdout)
    if result.returncode:
        end = "\n".join(result.stdout.splitlines()[-30:])
        raise OperationError(f"{end}\n`{' '.join(words)}` failed with exit status {result.returncode}.")
    return result.stdout


def parse_exports(script: str) -> dict[str, str]:
    """The variables that a script of `export NAME=value` lines sets, PATH excepted."""
    exports: dict[str, str] = {}
    for line in script.splitlines():
        if line.startswith("export ") and not line.startswith("export PATH"):
            key, _, value = line.removeprefix("export ").partition("=")
            exports[key] = shlex.split(value)[0]
    return exports
