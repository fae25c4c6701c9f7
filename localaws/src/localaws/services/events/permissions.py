"""Permissions that EventBridge needs from its caller."""

from localaws.core.permission import PassedRoles, ServicePermissions, arn

_RULE = arn("events", "rule/{Name}")
PERMISSIONS = ServicePermissions(
    resources={
        "PutTargets": arn("events", "rule/{Rule}"),
        "RemoveTargets": arn("events", "rule/{Rule}"),
        "ListTargetsByRule": arn("events", "rule/{Rule}"),
        "PutEvents": arn("events", "event-bus/default"),
        "DescribeRule": _RULE,
        "PutRule": _RULE,
        "DeleteRule": _RULE,
        "EnableRule": _RULE,
        "DisableRule": _RULE,
        "ResourceARN=": "{ResourceARN}",
    },
    roles=[
        PassedRoles(
            members=["RoleArn", "Targets[].RoleArn"],
            service="events.amazonaws.com",
            code="ValidationException",
            message="Provided role '{role}' cannot be assumed by principal 'events.amazonaws.com'.",
        )
    ],
)
