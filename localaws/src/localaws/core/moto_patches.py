"""Patches of moto's internals, each with its reason."""

from contextvars import ContextVar
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3 import notifications
from moto.s3.models import FakeBucket

from localaws.core import conditional_writes, object_versions
from localaws.core.account import Account

# Whose request moto is answering.
ACCOUNT: ContextVar[Account] = ContextVar("account")


def apply() -> None:
    # moto looks at a bucket policy's actions without its conditions, so that "deny what is not TLS" denies all.
    # The gateway has decided before moto is asked.
    FakeBucket.get_permission = _no_opinion  # type: ignore[method-assign]
    # moto hands S3's events to the targets that it knows itself, and swallows every error.
    notifications._send_event_bridge_message = _publish_object_event
    # moto knows conditions of PutObject, not all of multipart uploads and none of copies, and lets two requests at a
    # time pass them.
    conditional_writes.apply()
    # moto's pages of versions go on after a version that must still be there.
    object_versions.apply()


def _no_opinion(self: FakeBucket, action: str, resource: str) -> Any:  # noqa: ARG001 - moto's signature
    return PermissionResult.NEUTRAL


def _publish_object_event(account_id: str, bucket: FakeBucket, event_name: str, key: Any) -> None:
    name = str(getattr(event_name, "value", event_name))
    kind = notifications._detail_type(name)
    versioned = {"version-id": key.version_id} if bucket.is_versioned else {}
    ACCOUNT.get().publish_event(
        source="aws.s3",
        detail_type=kind,
        detail={
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": {"key": key.name, "size": key.size, "etag": key.etag.strip('"'), **versioned},
            "requester": account_id,
            "source-ip-address": "127.0.0.1",
            "reason": _REASONS.get(name, name.rpartition(":")[2]),
        },
        resources=[f"arn:aws:s3:::{bucket.name}"],
    )


_REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectRemoved:Delete": "DeleteObject",
}
