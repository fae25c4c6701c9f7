"""Permissions that CodeCommit needs from its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={
        "BatchGetRepositories": arn("codecommit", "{repositoryNames[]}"),
        "UpdateRepositoryName": arn("codecommit", "{oldName}"),
        "resourceArn=": "{resourceArn}",
        "repositoryName=": arn("codecommit", "{repositoryName}"),
    }
)
