"""What CodeBuild asks of its caller."""

from localaws.core.permission import ServicePermissions, arn

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
    passes_roles_to="codebuild.amazonaws.com",
    role_members=["serviceRole", "serviceRoleOverride"],
)
