"""Permissions to use a customer's key. moto's KMS keeps keys and their policies; services ask here."""

from collections.abc import Iterator
from urllib.parse import unquote

from moto.s3.models import s3_backends

from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID, Credentials
from localaws.core.permission import Permission
from localaws.services.iam.authorization import authorize_session
from localaws.services.iam.policies import Decision, Request, decide
from localaws.services.iam.resource_policies import key_policy

READS = ("GetObject", "HeadObject", "GetObjectAttributes")
WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload")
PARTS = ("UploadPart", "UploadPartCopy", "CompleteMultipartUpload")


def object_key_permissions(region: str, operation: str, parameters: Json) -> Iterator[Permission]:
    """The permissions of a customer's key that S3 needs from its caller, besides its own."""
    context = {"kms:viaservice": [f"s3.{region}.amazonaws.com"]}
    bucket = str(parameters.get("Bucket", ""))
    if operation in READS and (key := _object_key(bucket, parameters)):
        yield Permission("kms:Decrypt", key, context)
    if operation in (*WRITES, *PARTS) and (key := parameters.get("SSEKMSKeyId") or _bucket_key(bucket)):
        yield Permission("kms:GenerateDataKey", key, context)
        if operation in PARTS:
            yield Permission("kms:Decrypt", key, context)
    if operation in ("CopyObject", "UploadPartCopy"):
        source, _, name = unquote(str(parameters["CopySource"]).partition("?")[0]).lstrip("/").partition("/")
        if key := _object_key(source, {"Key": name}):
            yield Permission("kms:Decrypt", key, context)


def require_use_by_service(key_arn: str, service: str, action: str, context: dict[str, list[str]]) -> None:
    """Raise ServiceError unless the key exists and its own policy lets the service in: it has no role."""
    request = Request(action, key_arn, context, principals=frozenset({service}))
    policy = key_policy(key_arn)
    if policy is None or decide([policy], request) is not Decision.ALLOWED:
        raise ServiceError(
            "InvalidParameterException",
            f"The specified KMS key {key_arn} does not exist or is not allowed to be used by {service} "
            f"with {action} in the context {context}.",
        )


def require_volume_key(credentials: Credentials, key_arn: str) -> None:
    """SageMaker makes a grant, as the job's role, for the service that keeps the volumes."""
    authorize_session(credentials, "kms:CreateGrant", key_arn, {"kms:grantisforawsresource": ["true"]})


def _bucket_key(name: str) -> str | None:
    bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(name)
    if bucket is None or not bucket.encryption:
        return None
    key: str | None = bucket.encryption["Rule"]["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID")
    return key


def _object_key(bucket_name: str, parameters: Json) -> str | None:
    bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(bucket_name)
    found = bucket.keys.get(parameters["Key"]) if bucket else None
    key: str | None = getattr(found, "kms_key_id", None)  # a delete marker has none
    return key
