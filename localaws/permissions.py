"""Which permissions an operation needs: action, resource and condition keys, as the Service Authorization
Reference lists them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localaws.iam import Principal, authorize, caller_may_assume
from localaws.wire import Operation

if TYPE_CHECKING:
    from localaws.account import Account


@dataclass(frozen=True)
class Permission:
    action: str
    resource: str
    context: dict[str, list[str]] = field(default_factory=dict)


def require_permissions(account: "Account", principal: Principal, operation: Operation) -> None:
    """Raises ServiceError("AccessDenied") unless the principal may do all of what the operation means."""
    for permission in permissions(account, operation):
        context = {"aws:requestedregion": [account.region], **permission.context}
        authorize(principal, permission.action, permission.resource, context)


def permissions(account: "Account", operation: Operation) -> Iterator[Permission]:
    yield Permission(f"{operation.service}:{operation.name}", "*")
