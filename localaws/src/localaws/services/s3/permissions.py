"""S3's permissions: its actions are not called as its operations are."""

from collections.abc import Iterator
from urllib.parse import unquote

from moto.s3.models import s3_backends

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.identity import ACCOUNT_ID
from localaws.core.permission import Operation, Permission, ServicePermissions
from localaws.services.kms.key_use import object_key_permissions

OBJECT_ACTIONS = {
    "GetObject": "GetObject",
    "HeadObject": "GetObject",
    "GetObjectAttributes": "GetObject",
    "PutObject": "PutObject",
    "CopyObject": "PutObject",
    "DeleteObject": "DeleteObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "ListParts": "ListMultipartUploadParts",
    "GetObjectTagging": "GetObjectTagging",
    "PutObjectTagging": "PutObjectTagging",
    "DeleteObjectTagging": "DeleteObjectTagging",
    "GetObjectAcl": "GetObjectAcl",
    "PutObjectAcl": "PutObjectAcl",
}
VERSIONED = {"GetObject": "GetObjectVersion", "DeleteObject": "DeleteObjectVersion"}
BUCKET_ACTIONS = {
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
}


def _all_of(account: Account, operation: Operation) -> Iterator[Permission]:
    name, parameters = operation.name, operation.parameters
    for action, resource, context in _own(name, parameters):
        yield Permission(f"s3:{action}", resource, context)
    yield from object_key_permissions(account.region, name, parameters)
    if _is_missing_object(name, parameters):
        # S3 says whether an object exists only to who may list the bucket: 403 instead of 404.
        yield Permission("s3:ListBucket", f"arn:aws:s3:::{parameters['Bucket']}")


def _own(operation: str, parameters: Json) -> Iterator[tuple[str, str, dict[str, list[str]]]]:
    """Action, resource and condition keys of what the operation needs in S3 itself."""
    bucket = f"arn:aws:s3:::{parameters.get('Bucket', '')}"
    if operation == "ListBuckets":
        yield "ListAllMyBuckets", "*", {}
    elif operation == "DeleteObjects":
        for entry in parameters["Delete"]["Objects"]:
            action = "DeleteObjectVersion" if entry.get("VersionId") else "DeleteObject"
            yield action, f"{bucket}/{entry['Key']}", {}
    elif operation in OBJECT_ACTIONS:
        action = OBJECT_ACTIONS[operation]
        if parameters.get("VersionId"):
            action = VERSIONED.get(action, action)
        context = _object_context(parameters)
        yield action, f"{bucket}/{parameters['Key']}", context
        if parameters.get("Tagging") and operation != "PutObjectTagging":
            yield "PutObjectTagging", f"{bucket}/{parameters['Key']}", context
        if operation in ("CopyObject", "UploadPartCopy"):
            source = unquote(str(parameters["CopySource"]).partition("?")[0]).lstrip("/")
            yield "GetObject", f"arn:aws:s3:::{source}", {}
    else:
        context = {
            f"s3:{member.lower()}": [str(parameters[name])]
            for member, name in (("prefix", "Prefix"), ("delimiter", "Delimiter"), ("max-keys", "MaxKeys"))
            if name in parameters
        }
        yield BUCKET_ACTIONS.get(operation, operation), bucket, context


def _is_missing_object(operation: str, parameters: Json) -> bool:
    """Whether an object is read that does not exist, in a bucket that does."""
    if operation not in ("GetObject", "HeadObject"):
        return False
    bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(parameters["Bucket"])
    return bucket is not None and parameters["Key"] not in bucket.keys


def _object_context(parameters: Json) -> dict[str, list[str]]:
    members = {
        "ServerSideEncryption": "s3:x-amz-server-side-encryption",
        "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "ACL": "s3:x-amz-acl",
        "StorageClass": "s3:x-amz-storage-class",
    }
    return {key: [str(parameters[member])] for member, key in members.items() if member in parameters}


PERMISSIONS = ServicePermissions(all_of=_all_of)
