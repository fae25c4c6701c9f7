"""Writes to keys that nobody overwrites, as S3 answers them."""

import io
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ml_code import write_once
from ml_code.write_once import WriteOnceError, put_once


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
    with Stubber(boto3.client("s3", region_name="us-east-1", **keys)) as stub:
        yield stub
        stub.assert_no_pending_responses()


def write(s3: Stubber) -> None:
    client: Any = s3.client
    put_once(client, "b", "code/a", b"1")


def test_a_write_goes_on_after_another_writer_at_the_same_key(s3: Stubber) -> None:
    s3.add_client_error("put_object", "ConditionalRequestConflict")
    s3.add_response("put_object", {}, {"Bucket": "b", "Key": "code/a", "Body": b"1", "IfNoneMatch": "*"})
    write(s3)


def test_a_writer_who_never_ends_is_an_error(s3: Stubber) -> None:
    for _ in range(write_once.ATTEMPTS):
        s3.add_client_error("put_object", "ConditionalRequestConflict")
    with pytest.raises(ClientError, match="ConditionalRequestConflict"):
        write(s3)


def test_another_refusal_is_an_error(s3: Stubber) -> None:
    s3.add_client_error("put_object", "AccessDenied")
    with pytest.raises(ClientError, match="AccessDenied"):
        write(s3)


@pytest.mark.parametrize(("there", "fits"), [(b"1", True), (b"2", False)])
def test_what_is_there_must_be_the_same_bytes(s3: Stubber, there: bytes, fits: bool) -> None:
    s3.add_client_error("put_object", "PreconditionFailed")
    s3.add_response("get_object", {"Body": io.BytesIO(there)})
    if fits:
        write(s3)
    else:
        with pytest.raises(WriteOnceError, match="s3://b/code/a was written before with other bytes"):
            write(s3)
