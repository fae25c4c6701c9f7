"""Who imports whom: no arrow that runs upward, no circle, and no file that grew too long."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import localaws

PACKAGE = Path(localaws.__file__).parent
TESTS = Path(__file__).parent
MODULES = {
    ".".join(("localaws", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
# From below; each imports those before it only.
LAYERS = (
    "runtime",
    "core",
    "services",
    "gateway",
    "registry",
    "server",
    "running_server",
    "serve",
    "cli",
    "__main__",
)
MOST_LINES = 300


def imported(path: Path) -> Iterator[str]:
    """The package's modules that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, this test cannot follow it"
            assert node.module
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if name in MODULES or node.module in MODULES:
                    yield name if name in MODULES else node.module


def service(module: str) -> str | None:
    parts = module.split(".")
    return parts[2] if parts[1:2] == ["services"] and len(parts) > 2 else None


def circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


GRAPH = {module: set(imported(path)) for module, path in MODULES.items()}


def test_no_module_imports_itself_through_others() -> None:
    assert circle(GRAPH) == []


def test_no_service_imports_itself_through_others() -> None:
    services: dict[str, set[str]] = {}
    for module, used in GRAPH.items():
        if own := service(module):
            others = {other for name in used if (other := service(name)) and other != own}
            services.setdefault(own, set()).update(others)
    assert circle(services) == []


def test_no_import_runs_upward() -> None:
    upward = [
        f"{module} imports {used}"
        for module, names in GRAPH.items()
        for used in names
        if "." in module and "." in used
        if LAYERS.index(used.split(".")[1]) > LAYERS.index(module.split(".")[1])
    ]
    assert upward == []


def test_only_the_registry_lists_services() -> None:
    """A service may use a few others; who knows more than half of them keeps a list."""
    known = {module: {service(name) for name in names} - {None} for module, names in GRAPH.items()}
    folders = {service(module) for module in MODULES} - {None}
    assert [module for module, used in known.items() if len(used) > len(folders) / 2] == ["localaws.registry"]


def test_a_long_file_says_why() -> None:
    long = [
        path
        for path in [*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")]
        if len(lines := path.read_text().splitlines()) > MOST_LINES
        and f"over {MOST_LINES} lines:" not in lines[0]
    ]
    assert long == []
