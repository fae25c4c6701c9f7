"""Plain English in code and documents: words that make a sentence a riddle do not come back."""

import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BANNED = re.compile(
    r"\b(whoever|whatever|whomever|whosoever|(?:is|are|was|were) told|stands (?:in|before|beside) )",
    re.IGNORECASE,
)
# One thing in the place of another.
ALLOWED = re.compile(r"\bstands in for\b", re.IGNORECASE)
# Its own pattern; the changelog keeps what was written for earlier versions.
APART = ("tests/project/test_language.py", "CHANGELOG.md")


def test_no_sentence_has_a_banned_word() -> None:
    listed = subprocess.run(
        ["git", "-C", str(PROJECT), "ls-files", "*.py", "*.md", "*.yml", "Makefile"],
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.splitlines()
    assert "README.md" in listed
    found = [
        f"{name}:{number}: {match[0]}"
        for name in listed
        if name not in APART and (PROJECT / name).is_file()
        for number, line in enumerate((PROJECT / name).read_text(encoding="utf-8").splitlines(), start=1)
        for match in BANNED.finditer(ALLOWED.sub("", line))
    ]
    assert found == []
