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
VERSIONED = {
    "GetObject": "GetObjectVersion",
    "GetObjectAttributes": "GetObjectVersionAttributes",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObjectAcl": "GetObjectVersionAcl",
    "PutObjectAcl": "PutObjectVersionAcl",
}
# Whether an operation that asks for s3:PutObject makes the object, or only prepares or uploads a part of it.
CREATES_OBJECT = {
    "PutObject": True,
    "CopyObject": True,
    "CompleteMultipartUpload": True,
    "CreateMultipartUpload": False,
    "UploadPart": False,
    "UploadPartCopy": False,
}
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
    if name == "DeleteObjects":
        return  # each object of them is refused by itself
    for action, resource, context in _own(name, parameters):
        yield Permission(f"s3:{action}", resource, context)
    yield from object_key_permissions(account.region, name, parameters)
    if _is_missing_object(name, parameters):
        # S3 says whether an object exists only to who may list the bucket: 403 instead of 404.
        yield Permission("s3:ListBucket", f"arn:aws:s3:::{parameters['Bucket']}")


def _own(operation: str, parameters: Json) -> Iterator[tuple[str, str, dict[str, list[str]]]]:
    """The action, resource and condition keys that the operation needs in S3."""
    bucket = f"arn:aws:s3:::{parameters.get('Bucket', '')}"
    if operation == "ListBuckets":
        yield "ListAllMyBuckets", "*", {}
    elif operation in OBJECT_ACTIONS:
        context = _object_context(operation, parameters)
        yield _versioned(OBJECT_ACTIONS[operation], parameters), f"{bucket}/{parameters['Key']}", context
        if operation == "GetObjectAttributes":
            yield _versioned(operation, parameters), f"{bucket}/{parameters['Key']}", context
        if parameters.get("Tagging") and operation != "PutObjectTagging":
            yield "PutObjectTagging", f"{bucket}/{parameters['Key']}", context
        if operation in ("CopyObject", "UploadPartCopy"):
            path, _, query = str(parameters["CopySource"]).partition("?")
            version = {"VersionId": query.removeprefix("versionId=")} if query else {}
            source = f"arn:aws:s3:::{unquote(path).lstrip('/')}"
            yield _versioned("GetObject", version), source, _version(version)
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


def deletion(bucket: str, entry: Json) -> Permission:
    """The permission to delete one of the objects of DeleteObjects."""
    return Permission(
        f"s3:{_versioned('DeleteObject', entry)}", f"arn:aws:s3:::{bucket}/{entry['Key']}", _version(entry)
    )


def _versioned(action: str, parameters: Json) -> str:
    return VERSIONED[action] if parameters.get("VersionId") and action in VERSIONED else action


def _version(parameters: Json) -> dict[str, list[str]]:
    return _conditions(parameters, {"VersionId": "s3:versionid"})


def _conditions(parameters: Json, members: dict[str, str]) -> dict[str, list[str]]:
    return {key: [str(parameters[member])] for member, key in members.items() if parameters.get(member)}


def _object_context(operation: str, parameters: Json) -> dict[str, list[str]]:
    members = {
        "VersionId": "s3:versionid",
        "ServerSideEncryption": "s3:x-amz-server-side-encryption",
        "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "ACL": "s3:x-amz-acl",
        "StorageClass": "s3:x-amz-storage-class",
    }
    context: dict[str, list[str]] = {}
    if operation in CREATES_OBJECT:
        members |= {
            "CopySource": "s3:x-amz-copy-source",
            "MetadataDirective": "s3:x-amz-metadata-directive",
            "IfNoneMatch": "s3:if-none-match",
            "IfMatch": "s3:if-match",
        }
        context["s3:objectcreationoperation"] = [str(CREATES_OBJECT[operation]).lower()]
    if operation == "DeleteObject":
        members["IfMatch"] = "s3:if-match"
    return context | _conditions(parameters, members)


PERMISSIONS = ServicePermissions(all_of=_all_of)
