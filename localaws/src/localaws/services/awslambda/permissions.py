"""Permissions that Lambda needs from its caller."""

from collections.abc import Iterator

from localaws.core.account import Account
from localaws.core.permission import Operation, PassedRoles, Permission, ServicePermissions, arn


def _further(_account: Account, operation: Operation) -> Iterator[Permission]:
    """Lambda fetches the code with the caller's rights."""
    code = operation.parameters.get("Code", operation.parameters)
    if isinstance(code, dict) and code.get("S3Bucket"):
        action = "s3:GetObjectVersion" if code.get("S3ObjectVersion") else "s3:GetObject"
        yield Permission(action, f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}")


PERMISSIONS = ServicePermissions(
    resources={
        "ListTags": "{Resource}",
        "TagResource": "{Resource}",
        "UntagResource": "{Resource}",
        "FunctionName=": arn("lambda", "function:{FunctionName}"),
    },
    roles=[
        PassedRoles(
            members=["Role"],
            service="lambda.amazonaws.com",
            code="InvalidParameterValueException",
            message="The role defined for the function cannot be assumed by Lambda.",
        )
    ],
    actions={"Invoke": "InvokeFunction"},
    further=_further,
)
