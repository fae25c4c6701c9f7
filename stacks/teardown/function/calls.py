"""Calls of AWS about what may be gone already, or may end by itself meanwhile."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

_MISSING_CODES = (
    "NoSuchBucket",
    "NoSuchUpload",
    "PipelineNotFoundException",
    "ResourceNotFound",
    "ResourceNotFoundException",
)
_SETTLED_CODES = (
    "ConflictException",
    "DuplicatedStopRequestException",
    "PipelineExecutionNotStoppableException",
    "ValidationException",
)


def pages(client: Any, operation: str, key: str, **arguments: Any) -> list[Any]:
    """The items under `key` of all pages; none when what is listed is not there."""

    def items() -> list[Any]:
        found = client.get_paginator(operation).paginate(**arguments)
        return [item for page in found for item in page.get(key, ())]

    return unless_missing(items) or []


def unless_missing(call: Callable[..., Any], **arguments: Any) -> Any:
    """The answer of the call; None when the resource does not exist, as after a half-finished destroy."""
    try:
        return call(**arguments)
    except ClientError as error:
        # SageMaker has no error code of its own for most of its things.
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"].lower()
        is_missing = "could not find" in message or "does not exist" in message
        if code in _MISSING_CODES or (code == "ValidationException" and is_missing):
            return None
        raise


def unless_settled(call: Callable[..., Any], **arguments: Any) -> None:
    """Call, and ignore that the resource just ended by itself; the next look decides."""
    try:
        unless_missing(call, **arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _SETTLED_CODES:
            raise
        print("refused for now:", error)


def snake(words: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in words).lstrip("_")
