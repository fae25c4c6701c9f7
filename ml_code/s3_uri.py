"""Addresses of objects in S3."""


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The bucket and key of `s3://bucket/key`, or the prefix in the key's place."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
