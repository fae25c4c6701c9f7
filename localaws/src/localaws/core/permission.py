"""The permissions that an operation needs from its caller, and the tables in which a service lists them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localaws.core.account import Account
from localaws.core.errors import Json

ConditionKeys = dict[str, list[str]]


@dataclass(frozen=True)
class Operation:
    service: str  # botocore's name
    name: str
    parameters: Json
    protocol: str


@dataclass(frozen=True)
class Permission:
    action: str
    resource: str = "*"
    context: ConditionKeys = field(default_factory=dict)


def member_values(parameters: Any, path: str) -> list[Any]:
    """The values at a path of a request: "member.inner", and "members[]" for each of a list."""
    values = [parameters]
    for part in path.split("."):
        inner = [each.get(part.removesuffix("[]")) for each in values if isinstance(each, dict)]
        lists = part.endswith("[]")
        values = [item for each in inner if each is not None for item in (each if lists else [each])]
    return values


def arn(service: str, resource: str) -> str:
    """The template of an ARN: {region}, {account} and members of the request are put in."""
    return f"arn:aws:{service}:{{region}}:{{account}}:{resource}"


@dataclass(frozen=True, kw_only=True)
class PassedRoles:
    """Members of requests that name roles: who gives one needs iam:PassRole, and the service must be able to assume it."""

    members: Sequence[str]
    service: str  # the principal that assumes them
    # What the service answers when the role does not exist or does not trust it, with {role} put in; empty when it
    # takes the role and fails later.
    code: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class ServicePermissions:
    """The permissions of one service's operations: each needs the action of its own name, and these."""

    # An operation, or with "=" behind it a member that any operation may have, and the resource's ARN.
    resources: Mapping[str, str] = field(default_factory=dict)
    actions: Mapping[str, str] = field(
        default_factory=dict
    )  # of operations whose action is not called like them
    lists_everything: bool = False  # List… and Search… work on "*" unless `resources` names them
    # Which Create… needs besides, when it is given tags; its condition key <service>:TaggingAction says which Create….
    tag_action: str = ""
    roles: Sequence[PassedRoles] = ()
    context: Callable[[Account, Operation], ConditionKeys] = lambda _account, _operation: {}
    # Of a resource by its ARN, for the condition key aws:ResourceTag; without it such a condition never matches.
    resource_tags: Callable[[Account, str], Mapping[str, str]] = lambda _account, _arn: {}
    further: Callable[[Account, Operation], Iterator[Permission]] = lambda _account, _operation: iter(())
    # All that an operation needs, where actions are not called as operations at all.
    all_of: Callable[[Account, Operation], Iterator[Permission]] | None = None
