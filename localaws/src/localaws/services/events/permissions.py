"""What EventBridge asks of its caller."""

from localaws.core.permission import ServicePermissions, arn

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
    passes_roles_to="events.amazonaws.com",
    role_members=["RoleArn", "Targets[].RoleArn"],
)
