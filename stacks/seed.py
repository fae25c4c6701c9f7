"""The first content of a new CodeCommit repository."""

import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

# The local AWS is nothing that a factory on AWS needs.
LEFT_OUT = "localaws/"
MAX_COMPRESSED_BYTES = 20 * 1024**2
_SHOWN_NAMES = 5


def seed_asset(scope: Construct, id: str, project_files: Mapping[str, Path]) -> s3_assets.Asset:
    """The files, by their names in the repository; ValueError names those that CodeCommit refuses."""
    files = {name: path for name, path in project_files.items() if not name.startswith(LEFT_OUT)}
    _check(files)
    with TemporaryDirectory() as folder:
        for name, path in files.items():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target, follow_symlinks=False)
        return s3_assets.Asset(scope, id, path=folder)


def _check(files: Mapping[str, Path]) -> None:
    """CloudFormation says "Code supplied is not a valid .zip archive" of empty files (aws-cdk#19012)."""
    empty = [name for name, path in files.items() if path.stat().st_size == 0]
    if empty:
        raise ValueError(
            f"The new repository has empty files, which CodeCommit refuses: {_some(empty)}. "
            "Write a line into each, such as a comment, or take it out of git."
        )
    compressed = _compressed_bytes(files)
    if compressed > MAX_COMPRESSED_BYTES:
        largest = sorted(files, key=lambda name: files[name].stat().st_size, reverse=True)
        raise ValueError(
            f"The new repository has {compressed:,} bytes when compressed, allowed are {MAX_COMPRESSED_BYTES:,}. "
            f"Take large files out of git, the largest are {_some(largest)}: data belong into the data bucket."
        )


def _compressed_bytes(files: Mapping[str, Path]) -> int:
    """The size compressed, or an upper limit: files that are small enough as they are, are not compressed."""
    plain = sum(path.stat().st_size for path in files.values())
    if plain <= MAX_COMPRESSED_BYTES:
        return plain
    return sum(len(zlib.compress(path.read_bytes())) for path in files.values())


def _some(names: list[str]) -> str:
    hidden = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {hidden} more" if hidden > 0 else "")
