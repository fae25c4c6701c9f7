"""What CodeConnections asks of its caller."""

from localaws.core.permission import ServicePermissions

PERMISSIONS = ServicePermissions(
    resources={
        "ConnectionArn=": "{ConnectionArn}",
        "ResourceArn=": "{ResourceArn}",
    }
)
