"""Objects in S3 by their addresses."""

import boto3
from botocore.exceptions import ClientError

from ml_code.s3_uri import bucket_and_key


def exists(uri: str) -> bool:
    bucket, key = bucket_and_key(uri)
    try:
        boto3.client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NoSuchBucket"):
            raise
        return False
    return True
