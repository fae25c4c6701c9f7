"""What Step Functions asks of its caller."""

from localaws.core.permission import ServicePermissions

PERMISSIONS = ServicePermissions(passes_roles_to="states.amazonaws.com", role_members=["roleArn"])
