from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.logs import log_group
from stacks.permissions import grant_write_logs, service_role


def own_function(
    scope: Construct,
    *,
    name: str,
    description: str,
    role_description: str,
    code: Path,
    timeout: Duration,
    log_retention_days: int,
    key: kms.IKey | None,
    environment: Mapping[str, str] | None = None,
) -> tuple[lambda_.Function, iam.Role]:
    """A function of the factory's own with its role, which may write its log and nothing else yet.

    `code` is a folder with index.py. The function is made once all that its role may do is in force.
    """
    logs = log_group(scope, "Logs", name=f"/aws/lambda/{name}", retention_days=log_retention_days, key=key)
    role = service_role(scope, "Role", "lambda.amazonaws.com", role_description)
    grant_write_logs(role, logs)
    function = lambda_.Function(
        scope,
        "Function",
        function_name=name,
        description=description,
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_asset(str(code), exclude=["__pycache__", "*.pyc"]),
        role=role.without_policy_updates(),
        log_group=logs,
        memory_size=256,
        timeout=timeout,
        environment=environment,
    )
    function.node.add_dependency(role)
    return function, role
