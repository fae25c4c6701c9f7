"""The permissions that an operation needs: action, resource and condition keys.

The Service Authorization Reference lists them. An action that no table gives a resource is checked on the resource "*", which on AWS, too,
is what only a statement about all resources allows.
"""

from collections.abc import Iterator

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.core.permission import Operation, PassedRoles, Permission, ServicePermissions, member_values
from localaws.services.iam.authorization import Principal, assume_permission, authorize, require_trust

# Of services whose actions are not called as their API is.
ACTION_PREFIX = {
    "resourcegroupstaggingapi": "tag",
    "sagemaker-runtime": "sagemaker",
    "sagemaker-metrics": "sagemaker",
    "stepfunctions": "states",
    "efs": "elasticfilesystem",
    "elbv2": "elasticloadbalancing",
}
ALWAYS_ALLOWED = {"sts:GetCallerIdentity", "sts:GetSessionToken"}


def require_permissions(
    account: Account, rules: ServicePermissions, principal: Principal, operation: Operation
) -> None:
    """Raise ServiceError("AccessDenied") unless the principal has every permission that the operation needs."""
    for permission in permissions(account, rules, operation):
        if permission.action == "sts:AssumeRole":
            assume_permission(principal, permission.resource)
        elif permission.action not in ALWAYS_ALLOWED:
            context = {"aws:requestedregion": [account.region], **permission.context}
            tags = rules.resource_tags(account, permission.resource)
            prefixes = ("aws", permission.action.partition(":")[0])
            context |= {
                f"{prefix}:resourcetag/{key.lower()}": [value]
                for key, value in tags.items()
                for prefix in prefixes
            }
            authorize(principal, permission.action, permission.resource, context)


def require_assumable_roles(rules: ServicePermissions, operation: Operation) -> None:
    """Raise, in the service's words, when the service cannot assume a role that the operation gives it."""
    for passed, role in _passed_roles(rules, operation):
        if not passed.code:
            continue
        try:
            require_trust(role, passed.service)
        except ServiceError as error:
            raise ServiceError(passed.code, passed.message.format(role=role)) from error


def permissions(account: Account, rules: ServicePermissions, operation: Operation) -> Iterator[Permission]:
    if rules.all_of is not None:
        yield from rules.all_of(account, operation)
        return
    prefix = ACTION_PREFIX.get(operation.service, operation.service)
    action = f"{prefix}:{rules.actions.get(operation.name, operation.name)}"
    tags = _tag_context(operation.parameters)
    context = tags | rules.context(account, operation)
    arns = _resources(account.region, rules, operation)
    for arn in arns:
        yield Permission(action, arn, context)
    if rules.tag_action and operation.name.startswith("Create") and operation.parameters.get("Tags"):
        tagging = {**tags, f"{prefix}:taggingaction": [operation.name]}
        yield Permission(f"{prefix}:{rules.tag_action}", arns[0], tagging)
    for passed, role in _passed_roles(rules, operation):
        yield Permission("iam:PassRole", role, {"iam:passedtoservice": [passed.service]})
    yield from rules.further(account, operation)


def _resources(region: str, rules: ServicePermissions, operation: Operation) -> list[str]:
    """The ARNs of the resources that the operation uses."""
    table = rules.resources
    template = table.get(operation.name)
    lists = rules.lists_everything and operation.name.startswith(("List", "Search"))
    if template is None and not lists:
        template = next(
            (table[key] for key in table if key.endswith("=") and key[:-1] in operation.parameters), None
        )
    if template is None:
        return ["*"]
    found = [arn for part in template.split(" + ") for arn in _expand(part, region, operation.parameters)]
    return found or ["*"]


def _expand(template: str, region: str, parameters: Json) -> list[str]:
    """`template` with {member}, {member.inner} or {members[]} put in; none when a member is absent."""
    before, _, rest = template.partition("{")
    if not rest:
        return [template]
    path, _, after = rest.partition("}")
    if path in ("region", "account"):
        value = {"region": region, "account": ACCOUNT_ID}[path]
        return _expand(f"{before}{value}{after}", region, parameters)
    arns = []
    for value in map(str, member_values(parameters, path)):
        if value.startswith("arn:"):  # members that take a name or an ARN
            arns.append(value)
        elif before.endswith("project/"):  # a build's id starts with its project's name
            arns.append(f"{before}{value.partition(':')[0]}")
        elif before.endswith("parameter/"):
            arns.append(f"{before}{value.lstrip('/')}")
        else:
            arns += _expand(f"{before}{value}{after}", region, parameters)
    return arns


def _passed_roles(rules: ServicePermissions, operation: Operation) -> Iterator[tuple[PassedRoles, str]]:
    for passed in rules.roles:
        found = (member_values(operation.parameters, member) for member in passed.members)
        for role in sorted({role for roles in found for role in roles}):
            yield passed, role


def _tag_context(parameters: Json) -> dict[str, list[str]]:
    """aws:RequestTag/… and aws:TagKeys, in any of the ways that services write tags."""
    tags = parameters.get("Tags", parameters.get("tags"))
    if isinstance(tags, list):
        pairs = {
            tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value", ""))
            for tag in tags
            if isinstance(tag, dict)
        }
    else:
        pairs = dict(tags) if isinstance(tags, dict) else {}
    if not pairs:
        return {}
    context = {f"aws:requesttag/{str(key).lower()}": [str(value)] for key, value in pairs.items()}
    return {**context, "aws:tagkeys": [str(key) for key in pairs]}
