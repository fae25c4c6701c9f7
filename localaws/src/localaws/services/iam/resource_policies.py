"""The policies of resources that have one: keys and buckets."""

from collections.abc import Iterator

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from localaws.core.identity import ACCOUNT_ID


def key_policy(key_arn: str) -> str | None:
    """The policy of a key; None when there is no such key."""
    region, identifier = key_arn.split(":")[3], key_arn.rpartition("/")[2]
    key = kms_backends[ACCOUNT_ID][region].keys.get(identifier)
    return None if key is None else str(key.policy)


def resource_policies(resource: str) -> Iterator[str]:
    if resource.startswith("arn:aws:kms:") and (policy := key_policy(resource)):
        yield policy
    if not resource.startswith("arn:aws:s3:::"):
        return
    name = resource.removeprefix("arn:aws:s3:::").partition("/")[0]
    bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(name)
    if bucket is not None and bucket.policy:
        yield bucket.policy.decode() if isinstance(bucket.policy, bytes) else str(bucket.policy)
