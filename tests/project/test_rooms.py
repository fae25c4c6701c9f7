"""Who may import whom: the table of rooms in docs/architecture.md, and no circle."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("ml_code", "operations", "stacks")
ANY = "anything"
NOTHING = "nothing"
TYPES = "types_boto3"


@dataclass(frozen=True)
class Room:
    """A row of the table. Imports that it does not name: its own, and those of Python's standard library."""

    pattern: str
    own: tuple[str, ...]
    others: tuple[str, ...]

    def holds(self, path: str) -> bool:
        if self.pattern.endswith("/"):
            return any(
                PurePosixPath(str(parent)).match(self.pattern.rstrip("/"))
                for parent in PurePosixPath(path).parents
            )
        return PurePosixPath(path).match(self.pattern)


@cache
def rooms() -> list[Room]:
    text = (PROJECT / "docs/architecture.md").read_text()
    table = text[text.index("| room |") :].partition("\n\n")[0].splitlines()[2:]
    found = []
    for row in table:
        pattern, _, own, others = (cell.strip() for cell in row.strip("|").split("|"))
        found.append(Room(pattern.strip("`"), _names(own), _names(others)))
    return found


def _names(cell: str) -> tuple[str, ...]:
    names = tuple(re.findall(r"`([^`]+)`", cell))
    assert names or cell in (ANY, NOTHING), f"{cell!r} names no package in backticks"
    return (ANY,) if cell == ANY else names


def room_of(path: str) -> Room:
    """The narrowest."""
    found = [room for room in rooms() if room.holds(path)]
    assert found, f"{path} is in no room of docs/architecture.md"
    return max(found, key=lambda room: (room.pattern.count("/"), room.pattern == path))


def product_files() -> list[str]:
    found = [path for name in PACKAGES for path in (PROJECT / name).rglob("*.py")]
    return sorted(path.relative_to(PROJECT).as_posix() for path in [PROJECT / "app.py", *found])


@cache
def imports(path: str) -> frozenset[str]:
    """Modules of the project by their full names, other packages as they are written, without boto3's types.

    Those are installed on developers' machines only, so no module may need them when it runs.
    """
    found = set()
    tree = ast.parse((PROJECT / path).read_text())
    for_types = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for part in node.body
        if isinstance(part, ast.ImportFrom) and (part.module or "").startswith(TYPES)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, this test cannot follow it"
            assert node.module
            found |= {_module(f"{node.module}.{alias.name}") or node.module for alias in node.names}
    return frozenset(found)


def _module(name: str) -> str | None:
    """The name if it is a module of the project."""
    path = PROJECT / name.replace(".", "/")
    return name if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file() else None


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@pytest.mark.parametrize("path", product_files())
def test_a_file_imports_what_its_room_may(path: str) -> None:
    room = room_of(path)
    for name in imports(path):
        if name.split(".")[0] in PACKAGES:
            target = f"{name.replace('.', '/')}.py"
            if not (PROJECT / target).is_file():
                target = f"{name.replace('.', '/')}/__init__.py"
            assert within(name, room.own) or room_of(target) == room, f"{path} imports {name}"
        elif name.split(".")[0] not in sys.stdlib_module_names:
            assert ANY in room.others or within(name, room.others), f"{path} imports {name}"


def test_nothing_imports_the_local_aws() -> None:
    """It can be deleted without any effect on AWS."""
    assert [
        path for path in product_files() if any(within(name, ("localaws",)) for name in imports(path))
    ] == []


@pytest.mark.parametrize("room", rooms(), ids=lambda room: room.pattern)
def test_a_room_is_there(room: Room) -> None:
    assert [path for path in product_files() if room_of(path) == room], room.pattern


@pytest.mark.parametrize(
    ("pattern", "forbidden"),
    [
        # A definition and a template depend on their arguments only.
        ("ml_code/pipeline/", ("datetime", "random", "subprocess", "time", "uuid")),
        ("stacks/", ("os", "subprocess", "datetime", "time")),
    ],
)
def test_a_pure_room_asks_neither_clock_nor_machine(pattern: str, forbidden: tuple[str, ...]) -> None:
    files = [path for path in product_files() if room_of(path).pattern == pattern]
    assert files
    for path in files:
        assert not [name for name in imports(path) if within(name, forbidden)], path


def test_no_module_imports_itself_by_way_of_others() -> None:
    modules = {module_name(path): path for path in product_files()}
    graph = {name: sorted(imports(path) & modules.keys() - {name}) for name, path in modules.items()}
    assert sum(map(len, graph.values())) > 100
    assert list(circles(graph)) == []


def circles(graph: Mapping[str, list[str]]) -> Iterator[str]:
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> Iterator[str]:
        if name in way:
            yield " -> ".join((*way[way.index(name) :], name))
        elif name not in done:
            for other in graph[name]:
                yield from visit(other, (*way, name))
            done.add(name)

    for name in graph:
        yield from visit(name, ())


def test_a_circle_is_found() -> None:
    assert list(circles({"a": ["b"], "b": ["c"], "c": ["b"]})) == ["b -> c -> b"]


def test_nobody_imports_the_local_aws() -> None:
    for path in product_files():
        assert not [name for name in imports(path) if within(name, ("localaws",))], path


def test_no_package_shadows_an_installed_one() -> None:
    own = {path.name for path in PROJECT.iterdir() if path.is_dir() and (path / "__init__.py").is_file()}
    assert own >= set(PACKAGES)
    assert not own & {"constructs", "mlflow", "sagemaker"}
