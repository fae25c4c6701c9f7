"""Calls of AWS that throttling, faults and lost answers may hit: botocore asks again, by the variables in RETRIES."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

_THROTTLING = ("Throttl", "TooManyRequests", "SlowDown", "RequestLimitExceeded")


def is_temporary(error: BotoCoreError | ClientError) -> bool:
    """Whether the same call may succeed later: throttling, AWS's own faults, no connection."""
    if not isinstance(error, ClientError):
        return isinstance(error, HTTPClientError | NoConnectionError)
    code = error.response["Error"]["Code"]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    return status >= 500 or any(word in code for word in _THROTTLING)


def once(call: Callable[..., Any], **arguments: Any) -> None:
    """Make or update what only this caller can have made: a repeated attempt may find it made by the one before.

    For calls without a token by which AWS would know the repetition.
    """
    try:
        call(**arguments)
    except ClientError as error:
        if not _is_done_already(error):
            raise


def _is_done_already(error: ClientError) -> bool:
    message = error.response["Error"]["Message"].lower()
    retries = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
    # SageMaker's words for a name that is taken, and for an endpoint that an update has begun on.
    is_done = "already exist" in message or "in-progress" in message
    return bool(retries) and is_done
