"""What CodePipeline asks of its caller."""

from localaws.core.permission import ServicePermissions, arn

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
    passes_roles_to="codepipeline.amazonaws.com",
    role_members=["pipeline.roleArn"],
)
