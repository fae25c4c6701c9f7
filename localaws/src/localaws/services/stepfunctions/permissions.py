"""Permissions that Step Functions needs from its caller."""

from localaws.core.permission import PassedRoles, ServicePermissions

PERMISSIONS = ServicePermissions(
    roles=[
        PassedRoles(
            members=["roleArn"],
            service="states.amazonaws.com",
            code="AccessDeniedException",
            message="Neither the global service principal states.amazonaws.com, nor the regional one is authorized to "
            "assume the provided role.",
        )
    ]
)
