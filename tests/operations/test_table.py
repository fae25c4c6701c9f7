"""Tables on a terminal of 80 columns: every name in one piece."""

import io

import pytest
from rich.console import Console

from operations.table import Row, print_table

ENDPOINT = "model-factory-production"
WHY = "The container did not pass the ping health check: /aws/sagemaker/Endpoints/model-factory-production"
COLUMNS = ("endpoint", "status", "serves", "commit", "why")


def printed(columns: Row, *rows: Row, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_table(console, "Endpoints", columns, rows)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_fits_is_a_table() -> None:
    text = printed(COLUMNS, (ENDPOINT, "InService", "digits 12", "0123456789ab", ""))
    assert f"│ {ENDPOINT} │ InService │ digits 12 │ 0123456789ab │" in text
    assert "why" not in text


def test_what_does_not_fit_is_a_block_with_everything_in_one_piece() -> None:
    text = printed(COLUMNS, (ENDPOINT, "Failed", "digits 12", "0123456789ab", WHY))
    assert text.splitlines() == [
        "Endpoints",
        f"endpoint {ENDPOINT}",
        "  status: Failed",
        "  serves: digits 12",
        "  commit: 0123456789ab",
        f"  why: {WHY}",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_nothing_is_lost_at_any_width(width: int) -> None:
    text = printed(("check", "status", "found"), ("rights to deploy", "warning", WHY), width=width)
    assert "rights to deploy" in text
    squeezed = "".join(text.replace("│", " ").split())
    assert "".join(WHY.split()) in squeezed
    assert "…" not in text


def test_markup_in_a_cell_is_text() -> None:
    assert "[GitHub] is pending" in printed(("stage", "why"), ("Source", "[GitHub] is pending"))
