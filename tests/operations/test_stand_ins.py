"""What the stand-ins of tests/ml_code/release answer, the local AWS answers, too: the same assertions for both."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.ml_code.release.world import Aws

if TYPE_CHECKING:
    from localaws.core.account import Account

BUCKET = "stand-ins"
Clients = Callable[[str], Any]


@pytest.fixture(params=["stand-in", "local AWS"])
def client(request: pytest.FixtureRequest) -> Iterator[Clients]:
    if request.param == "stand-in":
        yield Aws().client
        return
    _: Account = request.getfixturevalue("account")
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    make: Any = boto3.client  # typed by the service's name, which is a test's here
    yield make
    boto3.resource("s3").Bucket(BUCKET).objects.delete()


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        ("describe_endpoint", {"EndpointName": "none"}, 'Could not find endpoint "'),
        ("delete_endpoint", {"EndpointName": "none"}, 'Could not find endpoint "'),
        ("describe_endpoint_config", {"EndpointConfigName": "none"}, "Could not find endpoint configuration"),
        ("delete_endpoint_config", {"EndpointConfigName": "none"}, "Could not find endpoint configuration"),
        ("delete_model", {"ModelName": "none"}, "Could not find model"),
    ],
)
def test_sagemaker_says_what_it_does_not_find(
    client: Clients, operation: str, request_: dict[str, str], message: str
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(client("sagemaker"), operation)(**request_)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert message in refused.value.response["Error"]["Message"]


def test_an_endpoint_that_is_not_there_answers_nothing(client: Clients) -> None:
    with pytest.raises(ClientError) as refused:
        client("sagemaker-runtime").invoke_endpoint(
            EndpointName="none", ContentType="text/csv", Body=b"1", InferenceId="x", Accept="*/*"
        )
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert "Endpoint none of account 123456789012 not found" in refused.value.response["Error"]["Message"]


def test_a_key_is_written_once_and_found_by_its_prefix(client: Clients) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=BUCKET, Key="a/1", Body=b"first", IfNoneMatch="*")
    s3.put_object(Bucket=BUCKET, Key="b/1", Body=b"other", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=BUCKET, Key="a/1", Body=b"second", IfNoneMatch="*")
    assert refused.value.response["Error"]["Code"] == "PreconditionFailed"
    assert s3.get_object(Bucket=BUCKET, Key="a/1")["Body"].read() == b"first"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="a/")
    assert [item["Key"] for page in pages for item in page["Contents"]] == ["a/1"]
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=BUCKET, Key="c/1")
