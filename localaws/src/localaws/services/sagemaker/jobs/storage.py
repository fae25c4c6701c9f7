"""S3 as a job's data: prefixes to directories and back, with the credentials of the job's role."""

import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from localaws.core.errors import Json


class NoObjects(Exception):
    """An S3 URI with no object below it."""


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of "s3://bucket/key"."""
    scheme, _, rest = uri.partition("://")
    if scheme != "s3":
        raise ValueError(f"Only s3:// URIs are supported, got {uri!r}.")
    bucket, _, key = rest.partition("/")
    return bucket, key


def download_prefix(
    s3: Any, uri: str, directory: Path, select: Callable[[list[str]], list[str]] = lambda keys: keys
) -> None:
    """Every selected object whose key starts with the URI's key; raises NoObjects when there is none to select from.

    Names in the directory are what follows the prefix's last "folder", as SageMaker lays them out.
    """
    bucket, prefix = split_uri(uri)
    directory.mkdir(parents=True, exist_ok=True)
    found = list(_keys(s3, bucket, prefix))
    for key in select(found):
        name = _relative_name(key, prefix)
        if not name:  # the marker object of a "folder"
            continue
        target = (directory / name).resolve()
        if not target.is_relative_to(directory.resolve()):
            raise ValueError(f"The key {key!r} of bucket {bucket!r} leads out of the input directory.")
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(s3, bucket, key, target)
    if not found:
        raise NoObjects(uri)


def list_prefix(s3: Any, uri: str) -> list[tuple[str, str]]:
    """Key and relative name, as SageMaker lays them out, of every object under the URI but "folders"."""
    bucket, prefix = split_uri(uri)
    found = [(key, _relative_name(key, prefix)) for key in _keys(s3, bucket, prefix)]
    return [(key, name) for key, name in found if name and not name.endswith("/")]


def download_file(s3: Any, uri: str, path: Path) -> None:
    bucket, key = split_uri(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    _download(s3, bucket, key, path)


def upload_directory(s3: Any, directory: Path, uri: str, encryption: Json) -> None:
    bucket, prefix = split_uri(uri)
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            key = "/".join(filter(None, [prefix.rstrip("/"), path.relative_to(directory).as_posix()]))
            upload_file(s3, path, f"s3://{bucket}/{key}", encryption)


def upload_file(s3: Any, path: Path, uri: str, encryption: Json) -> None:
    """`encryption` is what PutObject takes for it."""
    bucket, key = split_uri(uri)
    with path.open("rb") as body:
        s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption)


def pack(directories: Sequence[Path], archive: Path) -> bool:
    """Archive what the directories hold together, of equal names the last; false when they are missing or empty."""
    files = {
        path.relative_to(directory).as_posix(): path
        for directory in directories
        for path in sorted(directory.rglob("*"))
    }
    if not files:
        return False
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for name, path in sorted(files.items()):
            tar.add(path, arcname=name, recursive=False)
    return True


def unpack(archive: Path, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        tar.extractall(directory, filter="data")


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for listing in pages:
        contents: list[Json] = listing.get("Contents", [])
        yield from (item["Key"] for item in contents)


def _relative_name(key: str, prefix: str) -> str:
    if key == prefix and not key.endswith("/"):
        return key.rpartition("/")[2]
    if not prefix or prefix.endswith("/"):
        return key[len(prefix) :]
    rest = key[len(prefix) :]
    return rest[1:] if rest.startswith("/") else prefix.rpartition("/")[2] + rest


def _download(s3: Any, bucket: str, key: str, path: Path) -> None:
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    with path.open("wb") as file:
        for chunk in body.iter_chunks(1 << 20):
            file.write(chunk)
