"""Memory of requirements that are met already, so that pip is not asked again.

Finding out that every requirement is met takes pip seconds, and all training jobs of a tuning job ask the same
over the same untouched environment.
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class MetRequirements:
    """A cache of pip runs that installed nothing: their output, by the requirements that were asked for."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def asked(self, directory: Path) -> Iterator[list[str]]:
        """The lines that pip printed for the same requirements.txt and wheels, empty when it has to run.

        The caller that runs it fills the list when pip changed nothing; others with the same question wait meanwhile.
        """
        key = _key(directory)
        with self._locks[key]:
            lines = list(self._lines.get(key, []))
            yield lines
            if lines:
                self._lines[key] = lines


def _key(directory: Path) -> str:
    digest = hashlib.sha256((directory / "requirements.txt").read_bytes())
    for wheel in sorted(directory.rglob("*.whl")):
        digest.update(f"{wheel.relative_to(directory)} {wheel.stat().st_size}\n".encode())
    return digest.hexdigest()
