"""What KMS asks of its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(resources={"KeyId=": arn("kms", "key/{KeyId}")})
