"""The one place where moto's inside is changed, each with its reason."""

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket


def apply() -> None:
    # moto looks at a bucket policy's actions without its conditions, so that "deny what is not TLS" denies all.
    # The gateway has decided before moto is asked.
    FakeBucket.get_permission = _no_opinion  # type: ignore[method-assign]


def _no_opinion(self: FakeBucket, action: str, resource: str) -> Any:
    return PermissionResult.NEUTRAL
