"""A name that two parts agree on is written once, in ml_code/contracts.py."""

import ast
from collections.abc import Iterator
from pathlib import Path

from ml_code import contracts

PROJECT = Path(__file__).resolve().parents[2]
PRODUCT = ("app.py", "stacks", "ml_code", "operations")
# Runs before the package is installed; its own test compares its names with those of the contracts.
APART = {"ml_code/contracts.py", "ml_code/jobs/entry_point.py"}
# Ordinary words, which mean other things elsewhere: MLflow's tags and fields of reports, JSON keys, classes of actions.
# Folders inside an archive, called like a prefix of the bucket; a factory's default name, called like the tag.
ALIKE = {
    ("stacks/settings/factory.py", "model-factory"),
    ("ml_code/execution/source_archive.py", "wheels/"),
    ("ml_code/release/deploy.py", "code/"),
    ("ml_code/release/pushed_code.py", "wheels/"),
    # An allowed value, which a type cannot take from a constant
    ("stacks/settings/factory.py", "automatic"),
    # A class
    ("ml_code/spec/__init__.py", "Gate"),
    # CodePipeline's own name for it
    ("ml_code/release/delivery_record.py", "CommitId"),
}
WORDS = {
    "commit",
    "delete",
    "keep",
    "Build",
    "Source",
    "Approval",
    "drift",
    "production",
    "staging",
    "Production",
    "Staging",
    "Compare",
}


def values() -> dict[str, str]:
    """Each string of the contracts, by itself, with its name."""
    found = {
        value: name for name, value in vars(contracts).items() if isinstance(value, str) and name.isupper()
    }
    for kind, namespace in vars(contracts).items():
        if isinstance(namespace, type):
            members = {name: value for name, value in vars(namespace).items() if name.isupper()}
            found |= {value: f"{kind}.{name}" for name, value in members.items()}
    return found


def product_files() -> Iterator[Path]:
    for name in PRODUCT:
        path = PROJECT / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def literals(path: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_no_name_of_the_contracts_is_written_a_second_time() -> None:
    known = {value: name for value, name in values().items() if value not in WORDS}
    assert len(known) > 80
    copies = [
        f"{path.relative_to(PROJECT)}:{line}: {text!r} is {known[text]}"
        for path in product_files()
        if path.relative_to(PROJECT).as_posix() not in APART
        for line, text in literals(path)
        if text in known and (path.relative_to(PROJECT).as_posix(), text) not in ALIKE
    ]
    assert copies == []


def test_the_ordinary_words_are_of_the_contracts() -> None:
    assert set(values()) >= WORDS
