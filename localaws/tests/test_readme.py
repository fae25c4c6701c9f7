"""What is written about this folder: its README, and the table of claims in the project's docs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLAIMS = ROOT.parent / "docs/local-aws.md"


def test_every_file_named_exists() -> None:
    named = re.findall(r"`(src/[^` ]+)`", (ROOT / "README.md").read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.skipif(not CLAIMS.is_file(), reason="the table is in the project's docs")
def test_every_claim_has_a_source_and_says_where_it_stands() -> None:
    _, _, table = CLAIMS.read_text().partition("| claim | source | on AWS? | where |\n|---|---|---|---|\n")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len(rows) > 30
    for row in rows:
        claim, source, verified, where = (cell.strip() for cell in row.strip("|").split(" | "))
        assert all((claim, source, verified)), row
        assert (ROOT.parent / where.strip("`")).is_file(), row
