"""A versioned bucket, and clients of roles that may do what is said."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.identity import Credentials

Json = dict[str, Any]
Refusal = Callable[[Callable[[], Any]], str]


@pytest.fixture
def s3(account: Account) -> Any:
    return account.client("s3")


@pytest.fixture
def bucket(s3: Any) -> Iterator[str]:
    name = f"versioned-{time.monotonic_ns()}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield name
    s3.delete_bucket_policy(Bucket=name)
    listed = s3.list_object_versions(Bucket=name)
    for each in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
        s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def client_of(account: Account, bucket: str) -> Iterator[Callable[..., Any]]:
    """Make the client of a user who may do the given actions with the bucket's objects."""
    iam = account.client("iam")
    users: list[str] = []

    def make(*actions: str) -> Any:
        name = f"reader-{time.monotonic_ns()}"
        users.append(name)
        iam.create_user(UserName=name)
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": resources}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="actions", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return account.client("s3", Credentials(key["AccessKeyId"], key["SecretAccessKey"]))

    yield make
    for name in users:
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="actions")
        iam.delete_user(UserName=name)


def refusal(call: Callable[[], Any]) -> tuple[str, int]:
    """Code and status of the error that the call is answered with."""
    with pytest.raises(ClientError) as error:
        call()
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
