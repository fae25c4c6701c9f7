"""Rows of requests, from the files in which SageMaker's data capture keeps them.

A file has one JSON document a line:
{"captureData": {"endpointInput": {"observedContentType", "mode", "data", "encoding"}, "endpointOutput": {…}},
 "eventMetadata": {"eventId", "inferenceTime"}, "eventVersion": "0"}
Content types that the capture does not know as CSV or JSON come in base64.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_code.contracts import INFERENCE_ID
from ml_code.inference.requests import RequestError, read_request
from ml_code.table.columns import Schema, SchemaError
from ml_code.table.rows import RowReader

SHOWN_FAULTS = 5
_SHOWN_CHARACTERS = 200
_PLAIN = ("CSV", "JSON")


@dataclass
class LiveInputs:
    """Rows of answered requests, and what of the captured lines could not be used."""

    blocks: list[NDArray[np.float64]] = field(default_factory=list)
    requests: int = 0
    refused: int = 0
    """Requests that the endpoint did not answer with 2xx."""
    unreadable: int = 0
    """Lines that are no captured request."""
    faults: list[str] = field(default_factory=list)
    """The place and the reason of the first few faults."""

    @property
    def rows(self) -> int:
        return sum(len(block) for block in self.blocks)

    def values(self, schema: Schema) -> NDArray[np.float64]:
        return np.concatenate([np.empty((0, len(schema.names))), *self.blocks])

    def summary(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "rows": self.rows,
            "refused": self.refused,
            "unreadable": self.unreadable,
            "faults": self.faults,
        }


class CaptureError(ValueError):
    """A line that is no captured request."""


class NotAnsweredError(Exception):
    """The request got an error, so it was no input of the model's."""


class VerificationRequestError(Exception):
    """The factory's own question, of held-out rows."""


def read_captures(
    files: Iterable[tuple[str, Iterable[bytes]]], schema: Schema, *, maximum_rows: int
) -> LiveInputs:
    """`files` are names and lines; it stops once it has `maximum_rows`."""
    found, reader = LiveInputs(), RowReader(schema)
    for name, number, line in _lines(files):
        try:
            rows = rows_of(line, reader)
        except VerificationRequestError:
            continue
        except NotAnsweredError:
            found.requests += 1
            found.refused += 1
        except CaptureError as error:
            found.unreadable += 1
            if len(found.faults) < SHOWN_FAULTS:
                found.faults.append(f"{name}, line {number}: {error}"[:_SHOWN_CHARACTERS])
        else:
            found.requests += 1
            found.blocks.append(rows[: maximum_rows - found.rows])
            if found.rows >= maximum_rows:
                break
    return found


def _lines(files: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[tuple[str, int, bytes]]:
    for name, lines in files:
        yield from ((name, number, line) for number, line in enumerate(lines, start=1) if line.strip())


def rows_of(line: bytes, reader: RowReader) -> NDArray[np.float64]:
    """The rows that one captured request asked about, as the endpoint itself read them."""
    document = _document(line)
    data = _member(document, "captureData")
    metadata = document.get("eventMetadata")
    if isinstance(metadata, dict) and metadata.get("inferenceId") == INFERENCE_ID:
        raise VerificationRequestError
    content, content_type = _asked(data)
    if "endpointOutput" not in data or _is_error(_content(_member(data, "endpointOutput"))):
        raise NotAnsweredError
    try:
        return read_request(reader, content, content_type)
    except (RequestError, SchemaError):
        # The endpoint has the same check: it cannot have answered this.
        raise NotAnsweredError from None


def asked(line: bytes) -> tuple[bytes, str]:
    """A captured request's body and content type, answered or refused."""
    return _asked(_member(_document(line), "captureData"))


def _asked(data: dict[str, Any]) -> tuple[bytes, str]:
    message = _member(data, "endpointInput")
    return _content(message), _text(message, "observedContentType")


def _document(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CaptureError(f"not JSON: {error}") from None


def _member(document: Any, name: str) -> dict[str, Any]:
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise CaptureError(f"{name} must be an object, got {found!r}")
    return found


def _text(document: dict[str, Any], name: str) -> str:
    found = document.get(name)
    if not isinstance(found, str):
        raise CaptureError(f"{name} must be text, got {found!r}")
    return found


def _content(message: dict[str, Any]) -> bytes:
    data, encoding = _text(message, "data"), _text(message, "encoding")
    if encoding in _PLAIN:
        return data.encode(errors="surrogatepass")
    if encoding != "BASE64":
        raise CaptureError(f"encoding must be BASE64, CSV or JSON, got {encoding!r}")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CaptureError(f"data is not base64: {error}") from None


def _is_error(answer: bytes) -> bool:
    """Whether it is what the endpoint says in place of predictions; a capture does not tell the status."""
    if not answer.lstrip().startswith(b'{"error"'):
        return False
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.keys() == {"error"}
