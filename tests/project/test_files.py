"""Files and functions that can be read in a few minutes each."""

import ast
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 60
PRODUCT = ("app.py", "stacks/", "ml_code/", "operations/", "localaws/src/")


def _tracked() -> list[str]:
    """Python files, with new ones that are to be added, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    return [name for name in listed if (PROJECT / name).is_file()]


def test_a_file_of_more_than_300_lines_says_why_in_its_first_line() -> None:
    # The local AWS is a distribution of its own, with a test like this.
    files = [PROJECT / name for name in _tracked() if not name.startswith("localaws/")]
    assert len(files) > 100
    unexplained = [
        f"{path.relative_to(PROJECT)} has {len(lines)} lines"
        for path in files
        if len(lines := path.read_text().splitlines()) > MOST_LINES and "300 lines" not in lines[0]
    ]
    assert unexplained == []


def test_no_function_of_the_product_has_more_than_60_lines() -> None:
    functions = [
        (f"{name}:{node.lineno}: {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for name in _tracked()
        if name.startswith(PRODUCT)
        for node in ast.walk(ast.parse((PROJECT / name).read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    assert len(functions) > 500
    assert [each for each in functions if each[1] > MOST_LINES_OF_A_FUNCTION] == []
