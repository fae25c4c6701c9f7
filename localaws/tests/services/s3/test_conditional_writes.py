"""Conditional writes, and a bucket policy that asks for them."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.s3.conftest import Json, refusal

EXISTS = ("PreconditionFailed", 412)
DENIED = ("AccessDenied", 403)


def write_once(bucket: str) -> str:
    """A bucket policy of AWS's guide.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html .
    """
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/once/*",
        "Condition": {
            "Null": {"s3:if-none-match": "true"},
            "Bool": {"s3:ObjectCreationOperation": "true"},
        },
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def upload(s3: Any, bucket: str, key: str) -> Json:
    """A multipart upload that only its completion is missing of."""
    place = {"Bucket": bucket, "Key": key}
    started = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    etag = s3.upload_part(**started, PartNumber=1, Body=b"part")["ETag"]
    return {**started, "MultipartUpload": {"Parts": [{"ETag": etag, "PartNumber": 1}]}}


def test_a_key_is_written_once(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "a"}
    source = {"Bucket": bucket, "Key": "source"}
    s3.put_object(**source, Body=b"0")
    s3.put_object(**place, Body=b"1", IfNoneMatch="*")
    completion = upload(s3, bucket, "a")
    assert refusal(lambda: s3.put_object(**place, Body=b"2", IfNoneMatch="*")) == EXISTS
    assert refusal(lambda: s3.copy_object(**place, CopySource=source, IfNoneMatch="*")) == EXISTS
    assert refusal(lambda: s3.complete_multipart_upload(**completion, IfNoneMatch="*")) == EXISTS
    assert s3.get_object(**place)["Body"].read() == b"1"
    s3.delete_object(**place)
    s3.put_object(**place, Body=b"3", IfNoneMatch="*")
    s3.delete_object(**place)
    s3.copy_object(**place, CopySource=source, IfNoneMatch="*")
    s3.delete_object(**place)
    s3.complete_multipart_upload(**completion, IfNoneMatch="*")
    assert s3.get_object(**place)["Body"].read() == b"part"


def test_a_key_is_replaced_only_as_it_was_seen(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "a"}
    source = {"Bucket": bucket, "Key": "source"}
    s3.put_object(**source, Body=b"0")
    assert refusal(lambda: s3.copy_object(**place, CopySource=source, IfMatch="e")) == ("NoSuchKey", 404)
    seen = s3.put_object(**place, Body=b"1")["ETag"]
    now = s3.put_object(**place, Body=b"2", IfMatch=seen)["ETag"]
    completion = upload(s3, bucket, "a")
    assert refusal(lambda: s3.put_object(**place, Body=b"3", IfMatch=seen)) == EXISTS
    assert refusal(lambda: s3.copy_object(**place, CopySource=source, IfMatch=seen)) == EXISTS
    assert refusal(lambda: s3.complete_multipart_upload(**completion, IfMatch=seen)) == EXISTS
    s3.complete_multipart_upload(**completion, IfMatch=now)


def test_the_absence_of_one_etag_is_not_implemented(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "a"}
    assert refusal(lambda: s3.put_object(**place, Body=b"1", IfNoneMatch='"etag"')) == ("NotImplemented", 501)


def test_of_requests_at_the_same_time_one_writes(s3: Any, bucket: str) -> None:
    def put(number: int) -> bool:
        try:
            s3.put_object(Bucket=bucket, Key="a", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(40))) == 1
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1


def test_a_bucket_policy_asks_even_an_administrator_for_the_condition(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "once/a"}
    source = {"Bucket": bucket, "Key": "source"}
    s3.put_bucket_policy(Bucket=bucket, Policy=write_once(bucket))
    s3.put_object(**source, Body=b"0")  # outside of what the policy names
    assert refusal(lambda: s3.put_object(**place, Body=b"1")) == DENIED
    assert refusal(lambda: s3.copy_object(**place, CopySource=source)) == DENIED
    # The parts need no condition, the completion does.
    completion = upload(s3, bucket, "once/a")
    assert refusal(lambda: s3.complete_multipart_upload(**completion)) == DENIED
    s3.complete_multipart_upload(**completion, IfNoneMatch="*")
    assert refusal(lambda: s3.put_object(**place, Body=b"1", IfNoneMatch="*")) == EXISTS
    s3.put_object(Bucket=bucket, Key="once/b", Body=b"1", IfNoneMatch="*")
    s3.copy_object(Bucket=bucket, Key="once/c", CopySource=source, IfNoneMatch="*")


@pytest.mark.parametrize(
    ("condition", "refused"),
    [
        ({"Null": {"s3:x-amz-copy-source": "false"}}, "copy"),
        ({"Null": {"s3:if-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}, "put copy"),
        ({"StringEquals": {"s3:if-none-match": "*"}}, ""),
    ],
)
def test_conditions_on_copies_and_etags(s3: Any, bucket: str, condition: Json, refused: str) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/a",
        "Condition": condition,
    }
    s3.put_object(Bucket=bucket, Key="source", Body=b"0")
    s3.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    calls: dict[str, Callable[[], Any]] = {
        "put": lambda: s3.put_object(Bucket=bucket, Key="a", Body=b"1"),
        "copy": lambda: s3.copy_object(Bucket=bucket, Key="a", CopySource=f"{bucket}/source"),
    }
    for name, call in calls.items():
        if name in refused.split():
            assert refusal(call) == DENIED
        else:
            call()
