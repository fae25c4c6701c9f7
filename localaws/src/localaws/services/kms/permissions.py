"""Who may use a customer's key. moto's KMS keeps keys and their policies; services ask here before they use one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from localaws.core.account import ACCOUNT_ID
from localaws.core.service import Json, ServiceError
from localaws.services.iam.policies import Decision, Request, decide

if TYPE_CHECKING:
    from localaws.core.account import Credentials

Needed = tuple[str, str, dict[str, list[str]]]  # action, resource, condition keys

READS = ("GetObject", "HeadObject", "GetObjectAttributes")
WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload")
PARTS = ("UploadPart", "UploadPartCopy", "CompleteMultipartUpload")


def key_policy(key_arn: str) -> str | None:
    """The policy of a key; None when there is no such key."""
    region, identifier = key_arn.split(":")[3], key_arn.rpartition("/")[2]
    key = kms_backends[ACCOUNT_ID][region].keys.get(identifier)
    return None if key is None else str(key.policy)


def object_permissions(region: str, operation: str, parameters: Json) -> Iterator[Needed]:
    """What S3 asks of a caller besides its own permissions, where a customer's key encrypts."""
    context = {"kms:viaservice": [f"s3.{region}.amazonaws.com"]}
    bucket = str(parameters.get("Bucket", ""))
    if operation in READS and (key := _object_key(bucket, parameters)):
        yield "kms:Decrypt", key, context
    if operation in (*WRITES, *PARTS) and (key := parameters.get("SSEKMSKeyId") or _bucket_key(bucket)):
        yield "kms:GenerateDataKey", key, context
        if operation in PARTS:
            yield "kms:Decrypt", key, context
    if operation in ("CopyObject", "UploadPartCopy"):
        source, _, name = unquote(str(parameters["CopySource"]).partition("?")[0]).lstrip("/").partition("/")
        if key := _object_key(source, {"Key": name}):
            yield "kms:Decrypt", key, context


def require_use_by_service(key_arn: str, service: str, action: str, context: dict[str, list[str]]) -> None:
    """Raises ServiceError unless the key exists and its own policy lets the service in: it has no role."""
    request = Request(action, key_arn, context, principals=frozenset({service}))
    policy = key_policy(key_arn)
    if policy is None or decide([policy], request) is not Decision.ALLOWED:
        raise ServiceError(
            "InvalidParameterException",
            f"The specified KMS key {key_arn} does not exist or is not allowed to be used by {service} "
            f"with {action} in the context {context}.",
        )


def require_volume_key(credentials: "Credentials", key_arn: str) -> None:
    """SageMaker makes a grant, as the job's role, for the service that keeps the volumes."""
    from localaws.services.iam.authorization import authorize, find_principal

    principal = find_principal(credentials.access_key_id, credentials.session_token)
    if principal is None:
        raise ServiceError("AccessDenied", "The job's role has no such session.", 403)
    authorize(principal, "kms:CreateGrant", key_arn, {"kms:grantisforawsresource": ["true"]})


def volume_key(request: Json) -> str | None:
    """Of a processing, training or transform job."""
    cluster = (
        request.get("ProcessingResources", {}).get("ClusterConfig")
        or request.get("TransformResources")
        or request.get("ResourceConfig", {})
    )
    key: str | None = cluster.get("VolumeKmsKeyId")
    return key


def output_encryption(request: Json) -> dict[str, Any]:
    """How a job writes to S3: with the key that it was given."""
    members = ("ProcessingOutputConfig", "OutputDataConfig", "TransformOutput")
    output: Json = next((request[member] for member in members if request.get(member)), {})
    key = output.get("KmsKeyId")
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}


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
