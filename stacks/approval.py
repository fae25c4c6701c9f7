from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from constructs import Construct

from ml_code.contracts import Stage


def deny_approval(scope: Construct, role_names: Sequence[str], pipeline_arns: Sequence[str]) -> None:
    """Deny the approval to the roles that push, even if another policy of theirs allows it."""
    roles = [
        iam.Role.from_role_name(scope, f"PushingRole{number}", name) for number, name in enumerate(role_names)
    ]
    deny = iam.PolicyStatement(
        sid="ApproveNothing",
        effect=iam.Effect.DENY,
        actions=["codepipeline:PutApprovalResult"],
        resources=[f"{pipeline}/{Stage.APPROVAL}/{Stage.APPROVE_ACTION}" for pipeline in pipeline_arns],
    )
    iam.ManagedPolicy(scope, "NoApproval", roles=roles, statements=[deny])
