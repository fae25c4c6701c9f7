"""What CodeConnections asks of its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={
        "CreateConnection": arn("codeconnections", "connection/*"),
        "ConnectionArn=": "{ConnectionArn}",
        "ResourceArn=": "{ResourceArn}",
    }
)
