"""Permissions that CloudFormation needs from its caller."""

from localaws.core.permission import PassedRoles, ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={
        "DescribeStacks": arn("cloudformation", "stack/{StackName}/*"),
        "GetTemplateSummary": arn("cloudformation", "stack/{StackName}/*"),
        "StackName=": arn("cloudformation", "stack/{StackName}/*"),
    },
    roles=[
        PassedRoles(
            members=["RoleARN"],
            service="cloudformation.amazonaws.com",
            code="ValidationError",
            message="Role {role} is invalid or cannot be assumed",
        )
    ],
)
