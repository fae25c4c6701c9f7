"""Permissions that ECS needs from its caller.

AWS takes a task's roles as they are and says so when the task starts; no task starts here, so it is said at once.
"""

from localaws.core.permission import PassedRoles, ServicePermissions

PERMISSIONS = ServicePermissions(
    roles=[
        PassedRoles(
            members=["executionRoleArn", "taskRoleArn"],
            service="ecs-tasks.amazonaws.com",
            code="ClientException",
            message="ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the "
            "role being passed has the proper trust relationship and permissions and that your IAM user has "
            "permissions to pass this role.",
        )
    ]
)
