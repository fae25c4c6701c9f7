"""Plain English in code and documents: words that make a sentence a riddle do not come back."""

import ast
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BANNED = re.compile(
    r"\b(whoever|whatever|whomever|whosoever|(?:is|are|was|were|be|not) told|told (?:from|not|of)|(?:tells|hears) of|(?:bears|wants|lent|for ever)\b|stands (?:in|before|beside) )",
    re.IGNORECASE,
)
# One thing in the place of another.
ALLOWED = re.compile(r"\bstands in for\b", re.IGNORECASE)
# Its own pattern; the changelog keeps what was written for earlier versions.
APART = ("tests/project/test_language.py", "CHANGELOG.md")


# A docstring begins with the noun that it describes, or with a verb in the imperative.
RIDDLE = re.compile(
    "Also|Another|As|At|Before|Both|By|False|For|From|Held|How|However|In|Is|It|Neither|Of|On|Once|Only|Quoted|Someone|"
    "Something|Sorted|Stands|Their|There|Those|To|True|Under|What|When|Where|Which|Who|Whose|Why|With|Without"
)
VERB = re.compile(r"[A-Z][a-z]+s")
PRODUCT = ("app.py", "stacks/", "ml_code/", "operations/", "localaws/src/")
NOUNS = {
    "Actions",
    "Artifacts",
    "Budgets",
    "Columns",
    "Connections",
    "Credentials",
    "Dashboards",
    "Distributions",
    "Endless",
    "Lines",
    "Mistakes",
    "Modules",
    "Names",
    "Namespaces",
    "Patterns",
    "Predictions",
    "Process",
    "Results",
    "Rows",
    "Seconds",
    "Sections",
    "Services",
    "Settings",
    "Snapshots",
    "Tags",
    "Values",
    "Variables",
}


def _listed(*patterns: str) -> list[str]:
    command = ["git", "-C", str(PROJECT), "ls-files", *patterns]
    names = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=True).stdout.splitlines()
    return [name for name in names if (PROJECT / name).is_file()]


def _docstrings(module: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Line, text and whether it is a function's; those of a class's attributes follow their attribute."""
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (
            text := ast.get_docstring(node)
        ):
            yield node.body[0].lineno, text, isinstance(node, ast.FunctionDef)
        for attribute, after in pairwise(node.body) if isinstance(node, ast.ClassDef) else ():
            match attribute, after:
                case ast.AnnAssign(), ast.Expr(value=ast.Constant(value=str(text))):
                    yield after.lineno, text, False


def test_docstrings_of_the_product_begin_with_a_noun_or_an_imperative() -> None:
    found = [
        (f"{name}:{line}", text.split()[0].rstrip(".,:;"), is_function)
        for name in _listed("*.py")
        if name.startswith(PRODUCT)
        for line, text, is_function in _docstrings(ast.parse((PROJECT / name).read_text(encoding="utf-8")))
    ]
    assert len(found) > 500
    assert [(place, word) for place, word, _ in found if RIDDLE.fullmatch(word)] == []
    verbs = {word for _, word, is_function in found if is_function and VERB.fullmatch(word)}
    assert verbs <= NOUNS, "a verb in the imperative, or one more noun in NOUNS"


def test_no_sentence_has_a_banned_word() -> None:
    listed = _listed("*.py", "*.md", "*.yml", "Makefile")
    assert "README.md" in listed
    found = [
        f"{name}:{number}: {match[0]}"
        for name in listed
        if name not in APART
        for number, line in enumerate((PROJECT / name).read_text(encoding="utf-8").splitlines(), start=1)
        for match in BANNED.finditer(ALLOWED.sub("", line))
    ]
    assert found == []
