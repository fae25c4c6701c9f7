"""Who may import whom: the rooms of docs/architecture.md."""

import ast
import re
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


def files(pattern: str) -> list[Path]:
    found = sorted(PROJECT.glob(pattern))
    # The local AWS is a distribution of its own: a repository that a factory was seeded into has none.
    assert found or pattern.startswith("localaws/"), f"no file matches {pattern}"
    return found


def within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("app.py", ("aws_cdk", "stacks", "ml_code.spec")),
        ("stacks/*.py", ("aws_cdk", "constructs", "cdk_nag", "stacks", "ml_code.pipeline", "ml_code.spec")),
        ("stacks/teardown_function/*.py", ("boto3", "botocore")),
        ("stacks/new_data_function/*.py", ("boto3", "botocore")),
        ("stacks/drift_function/*.py", ("boto3", "botocore")),
        ("stacks/mlflow_server/*.py", ("sqlalchemy",)),
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
        ("localaws/src/**/*.py", ("aws_cdk", "ml_code", "stacks", "operations")),
        ("stacks/*.py", ("os", "subprocess", "datetime", "time")),
        ("operations/**/*.py", ("localaws",)),
    ],
)
def test_a_room_stays_out_of_others(pattern: str, forbidden: tuple[str, ...]) -> None:
    for path in files(pattern):
        assert not [name for name in imported(path) if within(name, forbidden)], path


def test_every_file_that_the_assumptions_name_exists() -> None:
    named = re.findall(r"\| `([^`]+)` \|$", (PROJECT / "docs/local-aws.md").read_text(), re.MULTILINE)
    assert named
    assert [name for name in named if not (PROJECT / name).exists()] == []


def test_no_package_shadows_an_installed_one() -> None:
    assert not OWN & {"constructs", "mlflow", "sagemaker"}
