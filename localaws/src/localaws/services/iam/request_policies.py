"""Checks of policies in requests: their grammar, and the principals that they name.

As on AWS, principals of this account and AWS's services must exist. Those of other accounts, which the local AWS does not
have, are taken as they are.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import botocore.session
from moto.iam.models import iam_backends

from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.core.permission import Operation

# Service principals that are called like no API of botocore's.
OTHER_SERVICES = {
    *(
        "access-analyzer",
        "airflow",
        "airflow-env",
        "ecs-tasks",
        "edgelambda",
        "elasticloadbalancing",
        "elasticmapreduce",
    ),
    *("email", "macie", "monitoring", "opensearchservice", "spotfleet", "states", "vmie", "vpc-flow-logs"),
}
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_ACCOUNT = re.compile(r"\d{12}")
_IDENTITY = re.compile(r"arn:aws:iam::(\d{12}):(?:(root)|(user|role)/(.+))")
_SESSION = re.compile(r"arn:aws:sts::\d{12}:(assumed-role|federated-user)/.+")


@dataclass(frozen=True)
class PolicyMember:
    """The member of a request that has a policy, and the error when a principal does not exist."""

    policy: Callable[[Json], Any]
    code: str
    message: str  # with {principal} put in


def _member(name: str) -> Callable[[Json], Any]:
    return lambda parameters: parameters.get(name)


def _attribute(parameters: Json) -> Any:
    """A policy among the attributes of SNS's and SQS's calls, which set one by its name, or several."""
    if parameters.get("AttributeName") == "Policy":
        return parameters.get("AttributeValue")
    return (parameters.get("Attributes") or {}).get("Policy")


def _permission(parameters: Json) -> Json:
    """Lambda makes the statement itself."""
    principal = str(parameters["Principal"])
    kind = "Service" if principal.endswith((".amazonaws.com", ".amazonaws.com.cn")) else "AWS"
    return {
        "Statement": [{"Effect": "Allow", "Action": parameters["Action"], "Principal": {kind: principal}}]
    }


_ELEMENTS = {
    *("Sid", "Effect", "Condition", "Principal", "NotPrincipal"),
    *("Action", "NotAction", "Resource", "NotResource"),
}
_S3 = PolicyMember(_member("Policy"), "MalformedPolicy", "Invalid principal in policy")
_KMS = PolicyMember(
    _member("Policy"),
    "MalformedPolicyDocumentException",
    "Policy contains a statement with one or more invalid principals.",
)
_TRUST = ("MalformedPolicyDocument", "Invalid principal in policy: {principal}")
_SNS = PolicyMember(_attribute, "InvalidParameter", "Invalid parameter: Policy Error: PrincipalNotFound")
_SQS = PolicyMember(_attribute, "InvalidAttributeValue", "Invalid value for the parameter Policy.")
POLICIES = {
    ("s3", "PutBucketPolicy"): _S3,
    ("kms", "CreateKey"): _KMS,
    ("kms", "PutKeyPolicy"): _KMS,
    ("iam", "CreateRole"): PolicyMember(_member("AssumeRolePolicyDocument"), *_TRUST),
    ("iam", "UpdateAssumeRolePolicy"): PolicyMember(_member("PolicyDocument"), *_TRUST),
    ("sns", "CreateTopic"): _SNS,
    ("sns", "SetTopicAttributes"): _SNS,
    ("sqs", "CreateQueue"): _SQS,
    ("sqs", "SetQueueAttributes"): _SQS,
    ("lambda", "AddPermission"): PolicyMember(
        _permission,
        "InvalidParameterValueException",
        "The provided principal was invalid. Please check the principal and try again.",
    ),
    ("ecr", "SetRepositoryPolicy"): PolicyMember(
        _member("policyText"),
        "InvalidParameterException",
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'",
    ),
    ("secretsmanager", "PutResourcePolicy"): PolicyMember(
        _member("ResourcePolicy"),
        "MalformedPolicyDocumentException",
        "This resource policy contains an unsupported principal.",
    ),
}


def require_valid_policy(operation: Operation) -> None:
    """Raise ServiceError when a policy is malformed or names a principal that does not exist."""
    member = POLICIES.get((operation.service, operation.name))
    document = member.policy(operation.parameters) if member else None
    if member is None or not document:
        return
    try:
        policy = document if isinstance(document, dict) else json.loads(document)
    except ValueError:
        return  # which the service refuses itself
    if not _follows_grammar(policy):
        raise ServiceError(member.code, "Syntax errors in policy.")
    for kind, principal in _principals(policy):
        if not _exists(kind, principal):
            label = "SERVICE" if kind == "Service" else kind
            message = member.message.format(principal=f'"{label}":"{principal}"')
            raise ServiceError(member.code, message)


def _follows_grammar(policy: Json) -> bool:
    return all(
        statement.keys() <= _ELEMENTS
        and statement.get("Effect") in ("Allow", "Deny")
        and ("Action" in statement) != ("NotAction" in statement)
        for statement in _statements(policy)
    )


def _statements(policy: Json) -> list[Json]:
    statements = policy.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def _principals(policy: Json) -> Iterator[tuple[str, str]]:
    for statement in _statements(policy):
        for element in ("Principal", "NotPrincipal"):
            named = statement.get(element, {})
            for kind, values in (named if isinstance(named, dict) else {"AWS": named}).items():
                for value in values if isinstance(values, list) else [values]:
                    yield kind, str(value)


def _exists(kind: str, principal: str) -> bool:
    if kind == "Service":
        return _is_service(principal)
    if kind != "AWS" or principal == "*" or _ACCOUNT.fullmatch(principal) or _SESSION.fullmatch(principal):
        return True
    match = _IDENTITY.fullmatch(principal)
    if match is None:
        return False
    account, root, identity, _ = match.groups()
    if root or account != ACCOUNT_ID:
        return True
    iam = iam_backends[ACCOUNT_ID]["aws"]
    found = iam.users.values() if identity == "user" else iam.roles.values()
    return any(known.arn == principal for known in found)


def _is_service(principal: str) -> bool:
    """Whether a name is a service's, by the last label before the domain: `logging.s3.amazonaws.com` is S3's."""
    name, _, _ = principal.partition(".amazonaws.com")
    if name == principal:
        return False
    labels = [label for label in name.split(".") if not _REGION.fullmatch(label)]
    return bool(labels) and labels[-1] in _services()


@lru_cache
def _services() -> frozenset[str]:
    return frozenset(botocore.session.get_session().get_available_services()) | OTHER_SERVICES
