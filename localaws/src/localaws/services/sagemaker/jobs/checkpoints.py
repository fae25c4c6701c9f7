"""A job's checkpoint directory: filled from S3 before the script starts, copied there while it runs and after."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localaws.core.errors import Json
from localaws.services.sagemaker.jobs.storage import NoObjects, download_prefix, upload_file

DEFAULT_PATH = "/opt/ml/checkpoints"
_SYNC_SECONDS = 2.0


@contextmanager
def synchronised(s3: Any, config: Json | None, directory: Path) -> Iterator[None]:
    """`config` is the job's CheckpointConfig. What happens to S3 in the background fails the job at its end."""
    if config is None:
        yield
        return
    try:
        download_prefix(s3, config["S3Uri"], directory)
    except NoObjects:
        directory.mkdir(parents=True, exist_ok=True)
    copies = _Copies(s3, config["S3Uri"].rstrip("/"), directory)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_SYNC_SECONDS):
            copies.update()

    watcher = threading.Thread(target=watch, name="checkpoints", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        copies.update()


class _Copies:
    def __init__(self, s3: Any, uri: str, directory: Path) -> None:
        self._s3 = s3
        self._uri = uri
        self._directory = directory
        self._copied = {path: path.stat().st_mtime_ns for path in self._files()}

    def update(self) -> None:
        for path in self._files():
            try:
                modified = path.stat().st_mtime_ns
                if self._copied.get(path) != modified:
                    key = path.relative_to(self._directory).as_posix()
                    # A CheckpointConfig names no key: the bucket's own encryption counts.
                    upload_file(self._s3, path, f"{self._uri}/{key}", {})
                    self._copied[path] = modified
            except FileNotFoundError:  # renamed or removed by the script in this moment
                continue

    def _files(self) -> list[Path]:
        return sorted(path for path in self._directory.rglob("*") if path.is_file())
