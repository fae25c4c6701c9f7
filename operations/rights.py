"""The caller's rights, by IAM's policy simulator; nothing else is called."""

from collections.abc import Iterable

import boto3

from operations.account import Account
from operations.errors import OperationError


def denied(account: Account, needed: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs of action and resource that the caller's own policies do not allow.

    Not asked are the policies of resources, and conditions that a simulation has no value for.
    """
    iam, source = boto3.client("iam"), _policy_source(account)
    if source is None:
        return []
    found = []
    for action, resource in needed:
        answer = iam.simulate_principal_policy(
            PolicySourceArn=source, ActionNames=[action], ResourceArns=[resource]
        )
        if any(each["EvalDecision"] != "allowed" for each in answer["EvaluationResults"]):
            found.append((action, resource))
    return found


def _policy_source(account: Account) -> str | None:
    """The user or role whose policies count; None for the root user, who may do everything."""
    _, _, service, _, _, name = account.caller_arn.split(":", 5)
    if name == "root":
        return None
    if name.startswith("federated-user/"):
        raise OperationError(f"IAM simulates users and roles only, not {name}.")
    if service == "sts":  # assumed-role/<role>/<session>, without the role's path
        role = name.split("/")[1]
        return str(boto3.client("iam").get_role(RoleName=role)["Role"]["Arn"])
    return account.caller_arn
