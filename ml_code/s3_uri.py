"""Addresses of objects in S3."""


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Of `s3://bucket/key`, or of a prefix in the key's place."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
