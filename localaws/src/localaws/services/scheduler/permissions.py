"""What EventBridge Scheduler asks of its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={"Name=": arn("scheduler", "schedule/default/{Name}")},
    passes_roles_to="scheduler.amazonaws.com",
    role_members=["Target.RoleArn"],
)
