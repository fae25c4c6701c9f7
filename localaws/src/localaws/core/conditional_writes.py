"""Conditional writes of S3, in moto: a condition and its write see no other one of the same key in between."""

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from moto.s3.exceptions import MissingKey, PreconditionFailed
from moto.s3.responses import S3Response

_PUT, _COPY, _POST = S3Response.put_object, S3Response.copy_object, S3Response._key_response_post
_WRITING = threading.Lock()
_LOCKS: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()  # of objects by bucket and key


def apply() -> None:
    S3Response.put_object = _conditional(_PUT)  # type: ignore[method-assign, assignment]
    S3Response.copy_object = _conditional(_COPY)  # type: ignore[method-assign, assignment]
    S3Response._key_response_post = _complete_conditionally  # type: ignore[method-assign]


def _lock_of(bucket: str, key: str) -> Any:
    with _WRITING:
        lock = _LOCKS.get((bucket, key)) or threading.Lock()
        _LOCKS[bucket, key] = lock
        return lock


def _conditional(write: Callable[[S3Response], Any]) -> Callable[[S3Response], Any]:
    def write_if(self: S3Response) -> Any:
        if not _has_conditions(self):
            return write(self)
        key = self.parse_key_name()
        with _lock_of(self.bucket_name, key):
            _require_conditions(self, self.bucket_name, key)
            return write(self)

    return write_if


def _complete_conditionally(
    self: S3Response, request: Any, body: bytes, bucket_name: str, query: Any, key_name: str
) -> Any:
    if "uploadId" not in query or not _has_conditions(self):
        return _POST(self, request, body, bucket_name, query, key_name)
    with _lock_of(bucket_name, key_name):
        _require_conditions(self, bucket_name, key_name, upload=query["uploadId"][0])
        return _POST(self, request, body, bucket_name, query, key_name)


def _has_conditions(response: S3Response) -> bool:
    return bool(response.headers.get("If-None-Match") or response.headers.get("If-Match"))


def _require_conditions(response: S3Response, bucket: str, key: str, upload: str = "") -> None:
    """Check the conditions against the current version; a delete marker is none. An upload may be completed once more."""
    current = response.backend.get_object(bucket, key)
    if current is not None and upload and current.multipart and current.multipart.id == upload:
        return
    if response.headers.get("If-None-Match") and current is not None:
        raise PreconditionFailed("If-None-Match")
    if wanted := response.headers.get("If-Match"):
        if current is None:
            raise MissingKey(key=key)
        if wanted.strip('"') != current.etag.strip('"'):
            raise PreconditionFailed("If-Match")
