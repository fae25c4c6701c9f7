"""What an operation asks of its caller, and how a service says so."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
    """What the operations of one service need, each the action of its own name and what is said here."""

    # An operation, or with "=" behind it a member that any operation may have, and the resource's ARN.
    resources: Mapping[str, str] = field(default_factory=dict)
    actions: Mapping[str, str] = field(
        default_factory=dict
    )  # of operations whose action is not called like them
    lists_everything: bool = False  # List… and Search… work on "*" unless `resources` names them
    tag_action: str = ""  # which Create… needs besides, when it is given tags
    roles: Sequence[PassedRoles] = ()
    context: Callable[[Operation], ConditionKeys] = lambda _: {}
    # Of a resource by its ARN, for the condition key aws:ResourceTag; without it such a condition never matches.
    resource_tags: Callable[[Account, str], Mapping[str, str]] = lambda _account, _arn: {}
    further: Callable[[Account, Operation], Iterator[Permission]] = lambda _account, _operation: iter(())
    # All that an operation needs, where actions are not called as operations at all.
    all_of: Callable[[Account, Operation], Iterator[Permission]] | None = None
