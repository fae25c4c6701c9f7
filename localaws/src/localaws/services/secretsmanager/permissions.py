"""Permissions that Secrets Manager needs from its caller."""

from localaws.core.permission import ServicePermissions

PERMISSIONS = ServicePermissions(resources={"SecretId=": "{SecretId}"})
