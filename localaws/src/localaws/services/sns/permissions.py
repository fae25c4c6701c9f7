"""Permissions that SNS needs from its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={
        "CreateTopic": arn("sns", "{Name}"),
        "TopicArn=": "{TopicArn}",
        "ResourceArn=": "{ResourceArn}",
    }
)
