"""Permissions that ECR needs from its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={"GetAuthorizationToken": "*", "repositoryName=": arn("ecr", "repository/{repositoryName}")}
)
