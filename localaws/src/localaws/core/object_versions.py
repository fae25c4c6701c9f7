"""ListObjectVersions, in moto: pages that may be deleted while the next ones are read."""

from typing import Any

from moto.s3.models import FakeDeleteMarker, FakeKey, S3Backend

Version = FakeKey | FakeDeleteMarker
Page = tuple[list[FakeKey], list[str], list[FakeDeleteMarker], str | None, str | None]

_LIST = S3Backend.list_object_versions


def apply() -> None:
    S3Backend.list_object_versions = _list  # type: ignore[method-assign]


def _list(
    self: S3Backend,
    bucket_name: str,
    delimiter: str | None = None,
    key_marker: str | None = None,
    max_keys: int | None = 1000,
    prefix: str = "",
    version_id_marker: str | None = None,
) -> Page:
    versions, prefixes, markers, *_ = _LIST(self, bucket_name, delimiter, None, None, prefix, None)
    newest_first: list[Version] = sorted([*versions, *markers], key=_age)
    entries: list[tuple[str, str | None, Any]] = [
        *((name, None, name) for name in prefixes),
        *((each.name, str(each.version_id), each) for each in newest_first),
    ]
    entries.sort(key=lambda entry: entry[0])
    entries = _after(entries, key_marker, version_id_marker)
    page = entries[:max_keys]
    found = [entry for _, _, entry in page]
    next_key, next_version = page[-1][:2] if page and len(page) < len(entries) else (None, None)
    return (
        [each for each in found if isinstance(each, FakeKey)],
        [each for each in found if isinstance(each, str)],
        [each for each in found if isinstance(each, FakeDeleteMarker)],
        next_key,
        next_version,
    )


def _age(version: Version) -> float:
    return -float(version.last_modified.timestamp())


def _after(
    entries: list[tuple[str, str | None, Any]], key: str | None, version: str | None
) -> list[tuple[str, str | None, Any]]:
    """The versions after the markers; where that version is gone, the rest of its key's versions."""
    if key is None:
        return entries
    position = next((n for n, entry in enumerate(entries) if entry[:2] == (key, version)), None)
    if position is not None:
        return entries[position + 1 :]
    return [entry for entry in entries if entry[0] > key or (version and entry[0] == key)]
