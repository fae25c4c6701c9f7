"""Permissions that KMS needs from its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(resources={"KeyId=": arn("kms", "key/{KeyId}")})
