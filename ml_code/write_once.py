"""Objects that nobody overwrites: the code of a commit, wheels, model archives, records of releases.

The policy of the artifact bucket takes nothing else below `WRITE_ONCE_PREFIXES` of the contracts.
"""

import hashlib
import time
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

ATTEMPTS = 5  # while another writer is at the same key


class WriteOnceError(Exception):
    """The key holds other bytes."""


def put_once(s3: "S3Client", bucket: str, key: str, body: bytes) -> None:
    """Write the object unless it is there already; WriteOnceError when it is there with other bytes."""
    for attempt in range(ATTEMPTS):
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
            return
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "PreconditionFailed":
                break
            if code != "ConditionalRequestConflict" or attempt == ATTEMPTS - 1:
                raise
            time.sleep(1)
    there = sha256(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    if there != sha256(body):
        raise WriteOnceError(
            f"s3://{bucket}/{key} was written before with other bytes: SHA-256 is {there}, should be "
            f"{sha256(body)}. Find out who wrote it; nothing overwrites it."
        )


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
