"""Permissions that CodeBuild needs from its caller."""

from localaws.core.permission import PassedRoles, ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={
        "CreateProject": arn("codebuild", "project/{name}"),
        "UpdateProject": arn("codebuild", "project/{name}"),
        "DeleteProject": arn("codebuild", "project/{name}"),
        "BatchGetProjects": arn("codebuild", "project/{names[]}"),
        "BatchGetBuilds": arn("codebuild", "project/{ids[]}"),
        "StopBuild": arn("codebuild", "project/{id}"),
        "RetryBuild": arn("codebuild", "project/{id}"),
        "projectName=": arn("codebuild", "project/{projectName}"),
    },
    roles=[
        PassedRoles(
            members=["serviceRole", "serviceRoleOverride"],
            service="codebuild.amazonaws.com",
            code="InvalidInputException",
            message="CodeBuild is not authorized to perform: sts:AssumeRole on {role}",
        )
    ],
)
