"""The shell of a build: each command sees the directory, variables and background processes of those before.

It works as CodeBuild's own agent does in buildspec version 0.2: a command runs in a fresh shell, which takes over
the exported variables and the directory that the command before left. (So shell functions do not carry over.)
"""

import os
import queue
import re
import subprocess
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Literal

from localaws.runtime.processes import ProcessTable

_POLL_SECONDS = 0.2

_AGENT = """
while IFS= read -r script <&3; do
  {shell} "$script" 3<&-
  echo "{marker} $?"
done 3<'{control}'
"""
_SCRIPT = """cd "$(cat '{folder}/directory')"
[ ! -f '{folder}/variables' ] || . '{folder}/variables'
set -a
{command}
_status=$?
(umask 077; export -p > '{folder}/variables')
pwd > '{folder}/directory'
exit $_status
"""
# A shell keeps these for itself: taken over from one shell to the next they only confuse.
_OWN_VARIABLES = frozenset({"_", "_status", "SHLVL", "PWD", "OLDPWD"})


class Deadline(Exception):
    """The time of the build is up."""


class Interrupted(Exception):
    """The build was stopped by StopBuild."""


class BuildShell:
    def __init__(
        self,
        processes: ProcessTable,
        *,
        folder: Path,
        directory: Path,
        environment: Mapping[str, str],
        shell: Literal["sh", "bash"],
        on_line: Callable[[str], None],
    ) -> None:
        """`folder` is the shell's own, `directory` where the first command starts."""
        self._folder = folder
        self._shell = shell
        self._environment = dict(environment)
        self._on_line = on_line
        self._marker = f"command-ended-{uuid.uuid4().hex}"
        self._exit_codes: queue.Queue[int] = queue.Queue()
        self._count = 0
        folder.mkdir(mode=0o700)
        (folder / "directory").write_text(f"{directory}\n")
        control = folder / "control"
        os.mkfifo(control)
        # Open for reading too, so that neither end waits for the other.
        self._control = os.open(control, os.O_RDWR)
        agent = _AGENT.format(shell=shell, marker=self._marker, control=control)
        self._process = processes.start(
            ["sh", "-c", agent], environment=environment, directory=directory, on_line=self._read
        )

    def run(self, command: str, *, deadline: float, stopped: Callable[[], bool]) -> int:
        """Run the command; return its exit status. After Deadline or Interrupted only `close` is allowed.

        `deadline` is a time of time.monotonic().
        """
        self._count += 1
        script = self._folder / f"script{self._count}.sh"
        script.write_text(_SCRIPT.format(folder=self._folder, command=command))
        os.write(self._control, f"{script}\n".encode())
        while True:
            try:
                return self._exit_codes.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if stopped():
                    raise Interrupted from None
                if monotonic() > deadline:
                    raise Deadline from None
                if not self._process.running:  # the command killed its own process group
                    return 137

    def export(self, name: str, value: str) -> None:
        """Set a variable for the commands to come."""
        path = self._folder / "variables"
        path.touch(mode=0o600)
        with path.open("a") as file:
            file.write(f"export {name}='{value}'\n")

    def variables(self) -> dict[str, str]:
        """The exported variables as the last command left them."""
        saved = self._folder / "variables"
        if not saved.exists():
            return dict(self._environment)
        command = [self._shell, "-c", f". '{saved}'; env -0"]
        printed = subprocess.run(command, env=self._environment, capture_output=True, check=True).stdout
        pairs = (item.split("=", 1) for item in printed.decode("utf-8", "replace").split("\0") if "=" in item)
        return {name: value for name, value in pairs if name not in _OWN_VARIABLES}

    def close(self) -> None:
        """End the shell and all that its commands left running."""
        self._process.terminate(grace_seconds=1.0)
        self._process.wait()
        os.close(self._control)

    def _read(self, line: str) -> None:
        match = re.search(rf"{self._marker} (\d+)$", line)
        if match is None:
            self._on_line(line)
            return
        if match.start() > 0:  # the command's output did not end with a newline
            self._on_line(line[: match.start()])
        self._exit_codes.put(int(match.group(1)))
