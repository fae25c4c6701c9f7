"""Permissions that CloudWatch needs from its caller."""

from localaws.core.account import Account
from localaws.core.permission import Operation, ServicePermissions, arn


def _context(_account: Account, operation: Operation) -> dict[str, list[str]]:
    if operation.name != "PutMetricData":
        return {}
    return {"cloudwatch:namespace": [operation.parameters["Namespace"]]}


PERMISSIONS = ServicePermissions(
    resources={
        "PutMetricAlarm": arn("cloudwatch", "alarm:{AlarmName}"),
        "PutCompositeAlarm": arn("cloudwatch", "alarm:{AlarmName}"),
        "DeleteAlarms": arn("cloudwatch", "alarm:{AlarmNames[]}"),
        "DescribeAlarms": arn("cloudwatch", "alarm:{AlarmNames[]}"),
        "SetAlarmState": arn("cloudwatch", "alarm:{AlarmName}"),
        "DescribeAlarmHistory": arn("cloudwatch", "alarm:{AlarmName}"),
        "PutDashboard": "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}",
        "GetDashboard": "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}",
        "DeleteDashboards": "arn:aws:cloudwatch::{account}:dashboard/{DashboardNames[]}",
        "ResourceARN=": "{ResourceARN}",
    },
    context=_context,
)
