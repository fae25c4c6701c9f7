"""Hashes of files of the project: what has passed or was trained is known by content, not by commit."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def content_hash(project: Path, names: Iterable[str]) -> str:
    """Hash the files, and all files in the folders; what does not exist is left out."""
    digest = hashlib.sha256()
    for name in names:
        path = project / name
        files = sorted(file for file in path.rglob("*") if file.suffix != ".pyc") if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                digest.update(f"{file.relative_to(project).as_posix()}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
