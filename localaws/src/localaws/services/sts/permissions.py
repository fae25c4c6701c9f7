"""What STS asks of its caller."""

from localaws.core.permission import ServicePermissions

PERMISSIONS = ServicePermissions(resources={"AssumeRole": "{RoleArn}"})
