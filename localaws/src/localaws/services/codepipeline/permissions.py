"""Permissions that CodePipeline needs from its caller."""

from localaws.core.permission import PassedRoles, ServicePermissions, arn

_ACTION = arn("codepipeline", "{pipelineName}/{stageName}/{actionName}")
PERMISSIONS = ServicePermissions(
    resources={
        "CreatePipeline": arn("codepipeline", "{pipeline.name}"),
        "UpdatePipeline": arn("codepipeline", "{pipeline.name}"),
        "PutApprovalResult": _ACTION,
        "PutActionRevision": _ACTION,
        "RetryStageExecution": arn("codepipeline", "{pipelineName}/{stageName}"),
        "EnableStageTransition": arn("codepipeline", "{pipelineName}/{stageName}"),
        "DisableStageTransition": arn("codepipeline", "{pipelineName}/{stageName}"),
        "resourceArn=": "{resourceArn}",
        "pipelineName=": arn("codepipeline", "{pipelineName}"),
        "name=": arn("codepipeline", "{name}"),
    },
    roles=[
        PassedRoles(
            members=["pipeline.roleArn"],
            service="codepipeline.amazonaws.com",
            code="InvalidStructureException",
            message="CodePipeline is not authorized to perform AssumeRole on role {role}",
        )
    ],
)
