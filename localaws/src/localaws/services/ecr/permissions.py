"""What ECR asks of its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={"GetAuthorizationToken": "*", "repositoryName=": arn("ecr", "repository/{repositoryName}")}
)
