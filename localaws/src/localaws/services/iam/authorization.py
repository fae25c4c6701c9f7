"""The caller of a request, and the decision of the caller's policies.

Users, roles and their policies live in moto's IAM; sessions of roles in moto's STS. The decision is made here,
because moto itself looks at actions but hardly at resources and conditions.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from moto.iam.exceptions import NotFoundException as IAMNotFoundException
from moto.iam.models import IAMBackend, Role, User, iam_backends
from moto.sts.models import AssumedRole, sts_backends

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.core.identity import ACCOUNT_ID, Caller, Credentials
from localaws.services.iam.policies import Decision, Request, decide
from localaws.services.iam.resource_policies import key_policy, resource_policies

# Which say for which account they assume a role, by their documentation (../docs/local-aws.md). None gives an ARN here.
SAY_THEIR_ACCOUNT = frozenset(
    f"{service}.amazonaws.com"
    for service in ("codebuild", "ecs-tasks", "sagemaker", "scheduler", "vpc-flow-logs")
)
# Who signed the request that this thread answers: for operations that decide on parts of it.
CALLER: "ContextVar[Principal]" = ContextVar("caller")
ROOT = f"arn:aws:iam::{ACCOUNT_ID}:root"


@dataclass(frozen=True)
class Principal:
    caller: Caller
    secret_access_key: str
    session_token: str | None
    identity: User | Role
    session_policy: str | None = None

    @property
    def arn(self) -> str:
        return self.caller.arn

    def names(self) -> frozenset[str]:
        """The names of this caller in a resource's or trust policy, its account's among them."""
        return self.own_names() | {ROOT, ACCOUNT_ID}

    def own_names(self) -> frozenset[str]:
        return frozenset({self.arn, str(self.identity.arn)})


def _iam() -> IAMBackend:
    return iam_backends[ACCOUNT_ID]["aws"]


def find_principal(access_key_id: str, session_token: str | None) -> Principal | None:
    for user in _iam().users.values():
        for key in user.access_keys:
            if key.access_key_id == access_key_id and key.status == "Active":
                return Principal(Caller(user.arn, access_key_id), key.secret_access_key, None, user)
    session: AssumedRole | None = sts_backends[ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(
        access_key_id
    )
    if session is None:
        return None
    if session_token != session.session_token:
        raise ServiceError(
            "InvalidClientTokenId", "The security token included in the request is invalid.", 403
        )
    if session.expiration.replace(tzinfo=UTC) < datetime.now(UTC):
        raise ServiceError("ExpiredToken", "The security token included in the request is expired", 403)
    role = _role(session.role_arn)
    if role is None:
        return None
    caller = Caller(session.arn, access_key_id)
    return Principal(caller, session.secret_access_key, session.session_token, role, session.policy or None)


def principal_id(caller: Caller) -> str:
    """The unique id of a user, or that of a role with the session's name, as GetCallerIdentity calls the caller."""
    principal = caller.arn.rpartition(":")[2]
    kind, _, name = principal.partition("/")
    if kind == "user":
        return str(next(user.id for user in _iam().users.values() if user.arn == caller.arn))
    role, _, session = name.partition("/")
    return f"{_iam().get_role(role).id}:{session}"


def credentials_of(access_key_id: str) -> Credentials:
    """The credentials that a caller signed with, for services that go on with the caller's rights."""
    session: AssumedRole | None = sts_backends[ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(
        access_key_id
    )
    principal = find_principal(access_key_id, session.session_token if session else None)
    if principal is None:
        raise ServiceError(
            "InvalidClientTokenId", "The security token included in the request is invalid.", 403
        )
    return Credentials(access_key_id, principal.secret_access_key, principal.session_token)


def authorize(
    principal: Principal, action: str, resource: str, context: Mapping[str, list[str]] | None = None
) -> None:
    """Raise ServiceError("AccessDenied") in AWS's words unless the caller's policies allow the action."""
    request = Request(
        action, resource, {**_global_context(principal), **(context or {})}, principals=principal.names()
    )
    identity = decide(_identity_policies(principal.identity), request)
    by_resource = decide(resource_policies(resource), request)
    # A key is the only resource whose own policy must let in even its account.
    delegates = by_resource is Decision.ALLOWED
    if by_resource is Decision.ALLOWED:
        # Naming the account only delegates to its identity policies; naming the caller grants.
        by_resource = decide(resource_policies(resource), replace(request, principals=principal.own_names()))
    if Decision.DENIED in (identity, by_resource):
        kind = "an identity-based policy" if identity is Decision.DENIED else "a resource-based policy"
        raise _denied(principal, action, resource, f"with an explicit deny in {kind}")
    if resource.startswith("arn:aws:kms:") and key_policy(resource) and not delegates:
        raise _denied(
            principal, action, resource, f"because no resource-based policy allows the {action} action"
        )
    if Decision.ALLOWED not in (identity, by_resource):
        raise _denied(
            principal, action, resource, f"because no identity-based policy allows the {action} action"
        )
    for kind, limit in (
        ("permissions boundary", _boundary(principal)),
        ("session policy", principal.session_policy),
    ):
        if limit is not None and decide([limit], request) is not Decision.ALLOWED:
            raise _denied(principal, action, resource, f"because no {kind} allows the {action} action")


def decide_for_identity(arn: str, action: str, resource: str) -> Decision:
    """Decide by the policies and the permissions boundary of a user or role alone; NoSuchEntity when it does not exist."""
    identities: list[User | Role] = [*_iam().users.values(), *_iam().roles.values()]
    identity = next((each for each in identities if each.arn == arn), None)
    if identity is None:
        raise ServiceError("NoSuchEntity", f"The entity with arn {arn} cannot be found.", 404)
    principal = Principal(Caller(arn, ""), "", None, identity)
    request = Request(action, resource, _global_context(principal))
    decisions = [decide(_identity_policies(identity), request)]
    if (boundary := _boundary(principal)) is not None:
        decisions.append(decide([boundary], request))
    for worst in (Decision.DENIED, Decision.NOT_MENTIONED):
        if worst in decisions:
            return worst
    return Decision.ALLOWED


def authorize_session(
    credentials: Credentials, action: str, resource: str, context: Mapping[str, list[str]] | None = None
) -> None:
    """`authorize` for what a service does with the credentials of a role that it has assumed."""
    principal = find_principal(credentials.access_key_id, credentials.session_token)
    if principal is None:
        raise ServiceError("AccessDenied", "The role of these credentials does not exist any more.", 403)
    authorize(principal, action, resource, context)


def assume_permission(principal: Principal, role_arn: str) -> None:
    """sts:AssumeRole: the role's trust policy, and unless it names this very caller the caller's policies too."""
    role = _role(role_arn)
    context = _global_context(principal)
    if role is None or not _trusts(role, principal.names(), context):
        raise _denied(
            principal,
            "sts:AssumeRole",
            role_arn,
            "because no resource-based policy allows the sts:AssumeRole action",
        )
    if not _trusts(role, principal.own_names(), context):
        authorize(principal, "sts:AssumeRole", role_arn)


def _trusts(role: Role, names: frozenset[str], context: Mapping[str, list[str]]) -> bool:
    request = Request("sts:AssumeRole", role.arn, context, principals=names)
    return decide([role.assume_role_policy_document], request) is Decision.ALLOWED


def assume_role(account: Account, role_arn: str, *, principal: str, session_name: str) -> Credentials:
    """Credentials of a role for a service principal ("codebuild.amazonaws.com").

    Raises ServiceError("AccessDenied") when the role does not exist or its trust policy does not name
    the principal.
    """
    require_trust(role_arn, principal)
    session = sts_backends[ACCOUNT_ID]["aws"].assume_role(
        region_name=account.region,
        role_session_name=re.sub(r"[^\w+=,.@-]", "-", session_name)[:64],
        role_arn=role_arn,
        policy="",
        duration=12 * 3600,
        external_id="",
    )
    return Credentials(session.access_key_id, session.secret_access_key, session.session_token)


def require_trust(role_arn: str, service_principal: str) -> None:
    """Raise unless the role exists and its trust policy lets the service assume it."""
    role = _role(role_arn)
    if role is None:
        raise ServiceError(
            "AccessDenied", f"{service_principal} cannot assume {role_arn}: no such role.", 403
        )
    context = {"aws:principalisawsservice": ["true"]}
    if service_principal in SAY_THEIR_ACCOUNT:
        context["aws:sourceaccount"] = [ACCOUNT_ID]
    request = Request("sts:AssumeRole", role_arn, context, principals=frozenset({service_principal}))
    if decide([role.assume_role_policy_document], request) is not Decision.ALLOWED:
        raise ServiceError(
            "AccessDenied",
            f"{service_principal} is not authorized to perform: sts:AssumeRole on resource: {role_arn} "
            "because the role's trust policy does not allow it",
            403,
        )


def _role(role_arn: str) -> Role | None:
    return next((role for role in _iam().roles.values() if role.arn == role_arn), None)


def _identity_policies(identity: User | Role) -> Iterator[str]:
    yield from map(_document, identity.policies.values())
    for policy in identity.managed_policies.values():
        yield _default_version(policy)
    if isinstance(identity, User):
        for group in _iam().get_groups_for_user(identity.name):
            yield from map(_document, group.policies.values())
            for policy in group.managed_policies.values():
                yield _default_version(policy)


def _document(policy: Any) -> str:
    return policy if isinstance(policy, str) else json.dumps(policy)


def _default_version(policy: Any) -> str:
    version = next(version for version in policy.versions if version.version_id == policy.default_version_id)
    return _document(version.document)


def _boundary(principal: Principal) -> str | None:
    """The boundary's document; one that nobody made allows nothing."""
    boundary = getattr(principal.identity, "permissions_boundary_arn", None)
    if not boundary:
        return None
    try:
        return _default_version(_iam().get_policy(boundary))
    except IAMNotFoundException:
        return '{"Statement": []}'


def _global_context(principal: Principal) -> dict[str, list[str]]:
    kind = "User" if isinstance(principal.identity, User) else "AssumedRole"
    return {
        # The listener serves plain HTTP on the loopback interface only, which stands for AWS's TLS.
        "aws:securetransport": ["true"],
        "aws:principalarn": [str(principal.identity.arn)],
        "aws:principalaccount": [ACCOUNT_ID],
        "aws:resourceaccount": [ACCOUNT_ID],
        "aws:principaltype": [kind],
        "aws:principalisawsservice": ["false"],
        "aws:viaawsservice": ["false"],
        "aws:currenttime": [datetime.now(UTC).isoformat()],
    }


def _denied(principal: Principal, action: str, resource: str, reason: str) -> ServiceError:
    return ServiceError(
        "AccessDenied",
        f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource} {reason}",
        403,
    )
