"""What CloudFormation asks of its caller."""

from localaws.core.permission import ServicePermissions, arn

PERMISSIONS = ServicePermissions(
    resources={
        "DescribeStacks": arn("cloudformation", "stack/{StackName}/*"),
        "GetTemplateSummary": arn("cloudformation", "stack/{StackName}/*"),
        "StackName=": arn("cloudformation", "stack/{StackName}/*"),
    },
    passes_roles_to="cloudformation.amazonaws.com",
    role_members=["RoleARN"],
)
