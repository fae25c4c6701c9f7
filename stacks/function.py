import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from ml_code.contracts import RETRIES
from stacks.context import Context
from stacks.logs import log_group
from stacks.permissions import grant_write_logs, service_role

_PROJECT = Path(__file__).parent.parent
_SHARED = ("ml_code/__init__.py", "ml_code/contracts.py")


def own_function(
    scope: Construct,
    context: Context,
    *,
    name: str,
    description: str,
    role_description: str,
    package: str,
    timeout: Duration,
    environment: Mapping[str, str] | None = None,
) -> tuple[lambda_.Function, iam.Role]:
    """A function of the factory's own with its role, which may write its log and nothing else yet.

    `package` has a module `index` with a `handler`. The function is made once its role has all permissions.
    """
    logs = log_group(
        scope,
        "Logs",
        name=f"/aws/lambda/{name}",
        retention_days=context.config.retention.log_days,
        key=context.key,
    )
    role = service_role(scope, "Role", "lambda.amazonaws.com", role_description)
    grant_write_logs(role, logs)
    with TemporaryDirectory() as folder:
        _copy_code(package, Path(folder))
        # CDK copies the folder into the assembly as it makes the function.
        function = lambda_.Function(
            scope,
            "Function",
            function_name=name,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler=f"{package}.index.handler",
            code=lambda_.Code.from_asset(folder),
            role=role.without_policy_updates(),
            log_group=logs,
            memory_size=256,
            timeout=timeout,
            environment={**RETRIES, **(environment or {})},
        )
    function.node.add_dependency(role)
    return function, role


def _copy_code(package: str, target: Path) -> None:
    """The package and the contracts, each at its path in the project: imports are the same here and in Lambda."""
    folder = _PROJECT.joinpath(*package.split("."))
    files = [*folder.glob("*.py"), *(_PROJECT / name for name in _SHARED)]
    files += [parent / "__init__.py" for parent in folder.parents if _PROJECT in parent.parents]
    for file in files:
        copy = target / file.relative_to(_PROJECT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
