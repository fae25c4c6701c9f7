"""Checks at a container's start that the files it serves are those of the release.

An archive that brings other code brings another check: the write-once key stops that, and the archive's SHA-256, which a
release compares before SageMaker gets the archive.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from ml_code.contracts import Variable

MANIFEST = "manifest.sha256"  # in the archive; its lines are those of sha256sum


class IntegrityError(Exception):
    """A file is not that of the release."""


def manifest(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def check_files(folder: Path) -> None:
    """Compare the manifest with the container's environment, and the files with the manifest.

    Without the environment variable nothing is compared. Files outside the manifest, which SageMaker may add, are ignored.
    """
    expected = os.environ.get(Variable.MODEL_MANIFEST_SHA256)
    if not expected:
        return
    lines = _read(folder / MANIFEST)
    if hashlib.sha256(lines).hexdigest() != expected:
        raise IntegrityError(_sentence(folder / MANIFEST))
    for line in lines.decode().splitlines():
        digest, name = line.split("  ", 1)
        if hashlib.sha256(_read(folder / name)).hexdigest() != digest:
            raise IntegrityError(_sentence(folder / name))


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise IntegrityError(_sentence(path))
    return path.read_bytes()


def _sentence(path: Path) -> str:
    return f"{path} is not as it was released: it was changed or removed afterwards"
