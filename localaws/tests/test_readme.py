"""What README.md says of this folder."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_file_named_exists() -> None:
    named = re.findall(r"`(src/[^` ]+)`", (ROOT / "README.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_assumption_says_where_it_stands() -> None:
    _, _, table = (ROOT / "README.md").read_text().partition("| assumption | where |\n|---|---|\n")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert rows
    assert [row for row in rows if not re.search(r"\| `src/localaws/[^`]+` \|$", row)] == []
