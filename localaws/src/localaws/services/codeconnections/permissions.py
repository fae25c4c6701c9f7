"""Permissions that CodeConnections needs from its caller."""

from localaws.core.permission import ServicePermissions

PERMISSIONS = ServicePermissions(
    resources={
        "ConnectionArn=": "{ConnectionArn}",
        "ResourceArn=": "{ResourceArn}",
    }
)
