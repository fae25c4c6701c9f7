"""Permissions that IAM needs from its caller."""

from localaws.core.permission import ServicePermissions

PERMISSIONS = ServicePermissions(
    resources={
        "RoleName=": "arn:aws:iam::{account}:role/{RoleName}",
        "UserName=": "arn:aws:iam::{account}:user/{UserName}",
        "GroupName=": "arn:aws:iam::{account}:group/{GroupName}",
        "CreatePolicy": "arn:aws:iam::{account}:policy/{PolicyName}",
        "PolicyArn=": "{PolicyArn}",
        "PolicySourceArn=": "{PolicySourceArn}",
    }
)
