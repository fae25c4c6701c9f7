"""What Secrets Manager asks of its caller."""

from localaws.core.permission import ServicePermissions

PERMISSIONS = ServicePermissions(resources={"SecretId=": "{SecretId}"})
