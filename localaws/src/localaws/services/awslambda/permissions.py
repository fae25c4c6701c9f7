"""What Lambda asks of its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={
        "ListTags": "{Resource}",
        "TagResource": "{Resource}",
        "UntagResource": "{Resource}",
        "FunctionName=": arn("lambda", "function:{FunctionName}"),
    },
    passes_roles_to="lambda.amazonaws.com",
    role_members=["Role"],
    actions={"Invoke": "InvokeFunction"},
)
