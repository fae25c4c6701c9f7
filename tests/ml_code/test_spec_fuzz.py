"""No slip in model.yaml ends in a stack trace."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_code.spec import SpecError, parse_spec

TEXT = (Path(__file__).parents[1] / "example_model.yaml").read_text()
words = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "|",
        ">",
        "#",
        "'",
        '"',
        "%",
        "@",
        "&a",
        "*a",
        "!!int",
        "<<:",
        "?",
        "null",
        "1e-3",
        ".nan",
        "{0..1}",
        "{1..0}",
        "0x1F",
        "é",
    ]
) | (st.sampled_from(["- ", "(1, 2)", "2026-01-01", "\t", "  ", "\n", "\0", "\ud800"]))
places = st.integers(0, len(TEXT))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(places, places, words), min_size=1, max_size=3))
def test_a_slip_of_the_pen_is_refused_in_one_sentence(slips: list[tuple[int, int, str]]) -> None:
    text = TEXT
    for start, end, word in slips:
        text = text[: min(start, end)] + word + text[min(end, start + 5) :]
    with contextlib.suppress(SpecError):
        spec = parse_spec(text)
        assert spec.request_schema().names


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_spec(text)
    assert "\n" not in str(refused.value)
