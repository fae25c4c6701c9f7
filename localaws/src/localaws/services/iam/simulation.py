"""IAM's policy simulator: what a user's or role's own policies would decide. Nothing is called."""

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.services.iam.authorization import decide_for_identity
from localaws.services.iam.policies import Decision

_WORDS = {
    Decision.ALLOWED: "allowed",
    Decision.DENIED: "explicitDeny",
    Decision.NOT_MENTIONED: "implicitDeny",
}
# Which would change the decision.
_UNSUPPORTED = ("PolicyInputList", "PermissionsBoundaryPolicyInputList", "ResourcePolicy", "ContextEntries")


def _simulate_principal_policy(_account: Account, request: Json) -> Json:
    if given := [name for name in _UNSUPPORTED if request.get(name)]:
        raise ServiceError(
            "InvalidInput",
            f"The local AWS does not support {', '.join(given)} of SimulatePrincipalPolicy.",
            501,
        )
    source = request["PolicySourceArn"]
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": _WORDS[decide_for_identity(source, action, resource)],
        }
        for action in request["ActionNames"]
        for resource in request.get("ResourceArns") or ["*"]
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


OPERATIONS = {"SimulatePrincipalPolicy": _simulate_principal_policy}
