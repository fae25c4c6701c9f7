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


# Imports inside a function that complete a circle: the module is imported when the function is called.
DEFERRED = {
    ("ml_code.pipeline", "ml_code.pipeline_monitor"),
    ("ml_code.pipeline", "ml_code.pipeline_steps"),
}


def modules(package: str) -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    return {
        ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PROJECT.glob(f"{package}/**/*.py")
    }


def dependencies(package: str) -> dict[str, set[str]]:
    """Per module of the package: the modules of the package that it imports, wherever in its code."""
    known = modules(package)
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        targets = {
            next((part for part in prefixes(target) if part in known), name) for target in imported(path)
        }
        found[name] = {target for target in targets - {name} if (name, target) not in DEFERRED}
    return found


def prefixes(name: str) -> list[str]:
    """`a.b.c`, `a.b`, `a`: an import of an attribute is one of the module before it."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one circle in the order of their imports, the first one again at the end; else nothing."""
    done: set[str] = set()

    def search(path: list[str]) -> list[str]:
        for target in sorted(graph[path[-1]]):
            if target in path:
                return [*path[path.index(target) :], target]
            if target not in done and (found := search([*path, target])):
                return found
        done.add(path[-1])
        return []

    return next((found for name in sorted(graph) if name not in done and (found := search([name]))), [])


@pytest.mark.parametrize("package", ["stacks", "ml_code"])
def test_no_module_imports_itself_by_way_of_others(package: str) -> None:
    found = circle(dependencies(package))
    assert not found, f"an import circle: {' -> '.join(found)}"


def test_a_circle_is_named() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"e"}, "e": {"b"}}
    assert circle(graph) == ["b", "d", "e", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


MOST_LINES = 300
# How the first line of a longer file begins; its reason follows.
LONGER = "# Longer than 300 lines: "
# Files that are yet to be split.
TO_SPLIT = {
    "ml_code/serving/inference.py",
    "operations/bench_serving.py",
    "tests/e2e/test_options.py",
    "tests/ml_code/test_release.py",
    "tests/ml_code/test_run_pipeline.py",
}


def test_no_file_is_longer_than_300_lines_without_a_reason() -> None:
    """localaws has its own test of this. A build has no git to list the files, so packages tell what is ours."""
    files = [
        PROJECT / "app.py",
        *(path for name in OWN - {"localaws"} for path in PROJECT.glob(f"{name}/**/*.py")),
    ]
    long = set()
    for path in files:
        name = path.relative_to(PROJECT).as_posix()
        lines = path.read_text().splitlines()
        is_own = not name.startswith("tests/localaws/")
        if is_own and len(lines) > MOST_LINES and not lines[0].startswith(LONGER):
            long.add(name)
    assert not long - TO_SPLIT, f"split {sorted(long - TO_SPLIT)}, or give a reason: {LONGER}…"
