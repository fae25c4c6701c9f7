"""Attempts after the first: what they may find, and which errors are worth them."""

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from ml_code.retries import is_temporary, once

URL = "https://api.sagemaker.us-east-1.amazonaws.com"


def refusal(code: str, message: str = "no", status: int = 400, retries: int = 0) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": retries},
    }
    return ClientError(answer, "CreateModel")


@pytest.mark.parametrize(
    ("error", "temporary"),
    [
        (refusal("ThrottlingException"), True),
        (refusal("SlowDown", status=503), True),
        (refusal("InternalFailure", status=500), True),
        (EndpointConnectionError(endpoint_url=URL), True),
        (ReadTimeoutError(endpoint_url=URL), True),
        (ConnectionClosedError(endpoint_url=URL), True),
        (refusal("ValidationException"), False),
        (refusal("AccessDeniedException", status=403), False),
        (NoCredentialsError(), False),
    ],
)
def test_what_time_may_mend(error: BotoCoreError | ClientError, temporary: bool) -> None:
    assert is_temporary(error) is temporary


@pytest.mark.parametrize(
    ("message", "retries", "is_done"),
    [
        ('Cannot create already existing model "arn:x".', 1, True),
        ('Cannot update in-progress endpoint "arn:x".', 2, True),
        ('Cannot create already existing model "arn:x".', 0, False),
        ("Could not find model data", 1, False),
    ],
)
def test_a_repeated_attempt_may_find_its_work_done(message: str, retries: int, is_done: bool) -> None:
    def call(**arguments: Any) -> None:
        assert arguments == {"ModelName": "m"}
        raise refusal("ValidationException", message, retries=retries)

    if is_done:
        once(call, ModelName="m")
    else:
        with pytest.raises(ClientError):
            once(call, ModelName="m")
