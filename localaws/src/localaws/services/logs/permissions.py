"""Permissions that CloudWatch Logs needs from its caller."""

from localaws.core.permission import PassedRoles, ServicePermissions, arn

_STREAM = arn("logs", "log-group:{logGroupName}:log-stream:{logStreamName}")
PERMISSIONS = ServicePermissions(
    resources={
        "DescribeLogGroups": "*",
        "PutLogEvents": _STREAM,
        "GetLogEvents": _STREAM,
        "CreateLogStream": _STREAM,
        "DeleteLogStream": _STREAM,
        "StartQuery": arn("logs", "log-group:{logGroupName}:*")
        + " + "
        + arn("logs", "log-group:{logGroupNames[]}:*"),
        "logGroupName=": arn("logs", "log-group:{logGroupName}:*"),
        "logGroupIdentifier=": arn("logs", "log-group:{logGroupIdentifier}:*"),
        "resourceArn=": "{resourceArn}",
    },
    roles=[PassedRoles(members=["roleArn"], service="logs.amazonaws.com")],
)
