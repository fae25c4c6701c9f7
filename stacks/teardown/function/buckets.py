from typing import TYPE_CHECKING, Any

import boto3

from ml_code.contracts import TeardownProperty
from stacks.teardown.function.calls import unless_missing
from stacks.teardown.function.deadline import Deadline

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef


def empty_buckets(names: dict[str, Any], deadline: Deadline) -> None:
    s3 = boto3.client("s3")
    for bucket in names.get(TeardownProperty.BUCKET_NAMES, []):
        unless_missing(empty, s3=s3, bucket=bucket, deadline=deadline)


def empty(s3: "S3Client", bucket: str, deadline: Deadline, prefix: str = "") -> None:
    """Remove all versions of all objects, or of those below the prefix, and unfinished uploads."""
    uploads = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    for upload in (upload for page in uploads for upload in page.get("Uploads", ())):
        unless_missing(
            s3.abort_multipart_upload, Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        )
    removed = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        keys: list[ObjectIdentifierTypeDef] = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries
        ]
        if not keys:
            continue
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        if errors := answer.get("Errors"):
            raise RuntimeError(f"{bucket}: {len(errors)} objects stay, first {errors[0]}")
        removed += len(keys)
        deadline.check(f"objects of {bucket} to be removed")
    print(f"{bucket}/{prefix}", removed, "objects removed")
