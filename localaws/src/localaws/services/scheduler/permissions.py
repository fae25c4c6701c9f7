"""Permissions that EventBridge Scheduler needs from its caller."""

from localaws.core.permission import PassedRoles, ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={"Name=": arn("scheduler", "schedule/default/{Name}")},
    roles=[
        PassedRoles(
            members=["Target.RoleArn"],
            service="scheduler.amazonaws.com",
            code="ValidationException",
            message="The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
        )
    ],
)
