"""Permissions that STS needs from its caller."""

from localaws.core.permission import ServicePermissions

PERMISSIONS = ServicePermissions(resources={"AssumeRole": "{RoleArn}"})
