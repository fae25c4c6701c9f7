"""The layers of a user's cache: folders with what pip installed from the wheels of jobs (see layers.py)."""

import fcntl
import logging
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from localaws.runtime import layers

LOG = logging.getLogger("localaws.image")
KEPT = 3
INSTALL_TIMEOUT_SECONDS = 300.0


class LayerStore:
    """Layers for one environment of the image; the newest is the one that was used last."""

    def __init__(self, folder: Path, python: Path) -> None:
        self._folder = folder
        self._python = python
        self._lock = threading.Lock()
        self._held = ExitStack()

    def newest(self) -> Path | None:
        found = self._made()
        return found[0] if found else None

    def use(self, layer: Path) -> bool:
        """Hold the layer until `close`; False when another local AWS removed it. Remove old ones that none holds."""
        lock = self._locked(layer, fcntl.LOCK_SH)
        if lock is None:
            return False
        self._held.enter_context(lock)
        if not layer.exists():
            return False
        os.utime(layer)
        for old in self._made()[KEPT:]:
            if (unused := self._locked(old, fcntl.LOCK_EX)) is not None:
                with unused:
                    shutil.rmtree(old, ignore_errors=True)
        return True

    def close(self) -> None:
        self._held.close()

    def _locked(self, layer: Path, kind: int) -> TextIO | None:
        """The file that locks a layer among all local AWSs of the user, until it is closed; None when one has it."""
        file = (self._folder / f".{layer.name}.lock").open("w")
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    def take(self, tmp: Path, on_layer: Callable[[Path], None]) -> None:
        """Move the wheels that were left in a container's /tmp; make a layer of them in the background."""
        for left in (tmp / layers.LEFT).glob("*"):
            self._folder.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=".making-", dir=self._folder))
            shutil.copytree(left, work / "wheels-of-a-job")
            threading.Thread(
                target=self._make, args=(work, left.name, on_layer), name="layer", daemon=True
            ).start()

    def _make(self, work: Path, key: str, on_layer: Callable[[Path], None]) -> None:
        source, made = work / "wheels-of-a-job", self._folder / key
        try:
            with self._lock:
                if layers.key_of(source) == key and not made.exists():
                    self._install(source, work / "layer")
                    (work / "layer").rename(made)
        except (OSError, subprocess.SubprocessError) as error:
            LOG.warning("the wheels of a job are installed anew by each job: %s", error)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        if made.exists():
            on_layer(made)

    def _install(self, source: Path, target: Path) -> None:
        done = subprocess.run(
            [str(self._python), *layers.pip_arguments(target)],
            cwd=source,
            env={"PATH": os.defpath, "HOME": str(source), "PIP_CONFIG_FILE": os.devnull},
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_TIMEOUT_SECONDS,
        )
        if done.returncode != 0:
            raise OSError(f"pip ended with {done.returncode}: {done.stderr.strip()[-500:]}")

    def _made(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        made = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        return sorted(made, key=lambda path: path.stat().st_mtime, reverse=True)
