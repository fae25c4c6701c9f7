"""Permissions that EC2 needs from its caller."""

from localaws.core.permission import PassedRoles, ServicePermissions

PERMISSIONS = ServicePermissions(
    roles=[PassedRoles(members=["DeliverLogsPermissionArn"], service="vpc-flow-logs.amazonaws.com")]
)
