"""Files that the documents name are there."""

import json
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    "README.md",
    "README_zh.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(path.relative_to(PROJECT).as_posix() for path in (PROJECT / "docs").glob("*.md")),
]
DECISIONS = sorted((PROJECT / "docs/decisions").glob("*.md"))
_PATH = re.compile(r"`((?:stacks|ml_code|operations|tests|models|docs)/[\w./-]*[\w/])`|\]\((?!http)([^)#]+)")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_files_that_a_document_names_are_there(document: str) -> None:
    path = PROJECT / document
    named = [code or (path.parent / link).resolve() for code, link in _PATH.findall(path.read_text())]
    assert named, f"{document} names no file"
    # A repository that a factory was seeded into has no local AWS, and the sample is replaced by the user's own model.
    missing = [
        str(name)
        for name in named
        if not (PROJECT / name).exists()
        and "localaws" not in str(name)
        and not str(name).startswith("models/")
    ]
    assert missing == []


def test_the_decisions_are_numbered_short_and_linked() -> None:
    assert len(DECISIONS) >= 10
    architecture = (PROJECT / "docs/architecture.md").read_text()
    for number, path in enumerate(DECISIONS, start=1):
        lines = path.read_text().splitlines()
        assert path.name.startswith(f"{number:04d}-")
        assert lines[0].startswith(f"# {number}. ")
        assert [line for line in lines if line.startswith("## ")] == [
            "## Context",
            "## Decision",
            "## Consequences",
        ]
        assert len(lines) <= 25, path.name
        assert f"(decisions/{path.name})" in architecture


def test_a_claim_is_verified_on_aws_where_the_data_say_so() -> None:
    verified = {
        entry["claim"]: f"{entry['date']}, {entry['region']}: {entry['command']}"
        for entry in json.loads((PROJECT / "docs/verified-on-aws.json").read_text())
    }
    claims: dict[str, str] = {}
    for line in (PROJECT / "docs/local-aws.md").read_text().splitlines():
        claim, source, on_aws, *_ = *line.split(" | "), "", "", ""
        if claim.startswith("| ") and source and on_aws.rstrip(" |") != "on AWS?":
            claims[claim.removeprefix("| ")] = on_aws.rstrip(" |")
    assert len(claims) > 50
    assert claims == {claim: verified.get(claim, "no") for claim in claims}
    assert verified.keys() <= claims.keys()
