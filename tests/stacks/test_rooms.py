"""Who may import whom: the rooms of docs/architecture.md."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
OWN = {path.name for path in PROJECT.iterdir() if path.is_dir() and (path / "__init__.py").is_file()}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, this test cannot follow it"
            assert node.module
            # `from ml_code import pipeline` imports a module, `from ml_code.pipeline import x` need not.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


# Folders within a construct whose code runs on AWS, not at synthesis.
RUN_ON_AWS = {"function", "server"}


def files(pattern: str) -> list[Path]:
    """Without the folders that run on AWS, unless the pattern names them."""
    others = RUN_ON_AWS - set(pattern.split("/"))
    found = [path for path in sorted(PROJECT.glob(pattern)) if not others & set(path.parts)]
    assert found, f"no file matches {pattern}"
    return found


def within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("app.py", ("aws_cdk", "stacks", "ml_code.spec")),
        (
            "stacks/**/*.py",
            (
                "aws_cdk",
                "constructs",
                "cdk_nag",
                "stacks",
                "ml_code.contracts",
                "ml_code.pipeline",
                "ml_code.spec",
            ),
        ),
        *(
            (
                f"stacks/{name}/function/*.py",
                ("boto3", "botocore", "ml_code.contracts", f"stacks.{name}.function"),
            )
            for name in ("drift", "new_data", "teardown")
        ),
        ("stacks/fargate_mlflow/server/*.py", ("sqlalchemy",)),
    ],
)
def test_a_room_imports_only_what_it_may(pattern: str, allowed: tuple[str, ...]) -> None:
    for path in files(pattern):
        for name in imported(path):
            assert name.split(".")[0] in sys.stdlib_module_names or within(name, allowed), f"{path}: {name}"


@pytest.mark.parametrize(
    ("pattern", "forbidden"),
    [
        ("ml_code/**/*.py", ("aws_cdk", "constructs", "stacks", "localaws", "operations")),
        ("ml_code/pipeline*.py", ("datetime", "random", "subprocess", "time", "uuid")),
        ("localaws/**/*.py", ("aws_cdk", "ml_code", "stacks", "operations")),
        ("stacks/**/*.py", ("os", "subprocess", "datetime", "time")),
        ("operations/**/*.py", ("localaws",)),
    ],
)
def test_a_room_stays_out_of_others(pattern: str, forbidden: tuple[str, ...]) -> None:
    for path in files(pattern):
        assert not [name for name in imported(path) if within(name, forbidden)], path


def test_no_package_shadows_an_installed_one() -> None:
    assert not OWN & {"constructs", "mlflow", "sagemaker"}
