"""Permissions that Systems Manager needs from its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={
        "GetParameters": arn("ssm", "parameter/{Names[]}"),
        "DeleteParameters": arn("ssm", "parameter/{Names[]}"),
        "GetParametersByPath": arn("ssm", "parameter/{Path}"),
        "GetParameter": arn("ssm", "parameter/{Name}"),
        "PutParameter": arn("ssm", "parameter/{Name}"),
        "DeleteParameter": arn("ssm", "parameter/{Name}"),
        "GetParameterHistory": arn("ssm", "parameter/{Name}"),
    }
)
