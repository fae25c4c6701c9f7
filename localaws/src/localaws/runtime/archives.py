"""Zip archives of source trees and of what builds make."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path


def unpack(content: bytes, folder: Path) -> None:
    """Extract a zip file with the permissions of its files, which zipfile drops."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, folder))
            mode = entry.external_attr >> 16 & 0o777
            if mode and not entry.is_dir():
                path.chmod(mode | 0o600)


def pack(files: Mapping[str, Path]) -> bytes:
    """An archive of files by their name in it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            archive.write(path, name)
    return content.getvalue()
