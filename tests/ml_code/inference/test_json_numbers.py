"""Rows of numbers in JSON that Arrow reads: as Python's reader reads them, or not at all."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_code.inference import requests
from ml_code.inference.json_numbers import numbers_text, read_numbers, row_texts, rows_text
from ml_code.inference.requests import JSON, RequestError, read_request
from ml_code.table.columns import Column, Schema, SchemaError
from ml_code.table.rows import RowReader

NAMES = ["a", "b"]
READER = RowReader(Schema((Column(name="a"), Column(name="b", type="integer", minimum=-1e300))))
FORMS = {
    "list": "{rows}",
    "instances": '{{"instances": {rows}}}',
    "split": '{{"dataframe_split": {{"columns": ["a", "b"], "data": {rows}}}}}',
    "bare split": ' \n{{ "columns" : ["a","b"],\r\n "data": {rows} }} ',
}
numbers = (
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers().map(str)
    | st.integers(-(10**40), 10**40).map(str)
    | st.sampled_from(["null", "-0", "1E5", "1e-400", "0.1e+2", "123456789012345678901234567890.5"])
)
odd = st.sampled_from(
    ["NaN", "Infinity", "-Infinity", "1e400", "true", '"1"', "01", "1.", ".5", "+1", "-", "[]", "[1]", "{}", '""', ""]
)  # fmt: skip


def verdict(text: str) -> Any:
    try:
        return read_request(READER, text.encode(), JSON).tolist()
    except (RequestError, SchemaError) as error:
        return str(error)


def same(left: Any, right: Any) -> bool:
    return str(left) == str(right) if isinstance(left, str) else np.array_equal(left, right, equal_nan=True)


@pytest.fixture(autouse=True)
def quick_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_MANY_CHARACTERS", 0)


def slow_verdict(text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(requests, "_MANY_CHARACTERS", math.inf)
        return verdict(text)


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_numbers_are_read_to_the_last_bit(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
    def read(rows: list[tuple[str, str]]) -> None:
        text = FORMS[form].format(rows="[" + ",".join(f"[{a}, {b}]" for a, b in rows) + "]")
        assert same(verdict(text), slow_verdict(text, monkeypatch))
        found = read_numbers(text.encode(), NAMES)
        assert found is not None
        expected = [[math.nan if cell == "null" else float(cell) for cell in row] for row in rows]
        assert np.array_equal(found, expected, equal_nan=True)

    read()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_row_of_numbers_is_refused_in_the_same_words(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = st.lists(st.lists(numbers | odd, max_size=3), max_size=3).map(
        lambda rows: "[" + ",".join("[" + ",".join(row) + "]" for row in rows) + "]"
    )

    @settings(max_examples=300, deadline=None)
    @given(
        rows | odd,
        st.sampled_from(["", " ", "}", "]", ",", "{}", '{"instances":[[1,2]]}', "//x", "\0", "\ufeff"]),
    )
    def read(rows: str, end: str) -> None:
        text = FORMS[form].format(rows=rows) + end
        assert same(verdict(text), slow_verdict(text, monkeypatch))

    read()


@pytest.mark.parametrize(
    "text",
    [
        '{"instances": [[1,2]], "instances": [[3,4]]}',
        '{"instances": [[1,2]], "other": 1}',
        '{"instances": [{"a": 1, "b": 2}]}',
        '{"instances": [[1,2],null]}',
        '{"instances": null}',
        '{"instances": []}',
        '{"inst\\u0061nces": [[1,2]]}',
        '{"dataframe_split": {"columns": ["b","a"], "data": [[1,2]]}}',
        '{"dataframe_split": {"columns": ["a","b"], "data": [[1,2]]}, "columns": []}',
        '{"dataframe_split": null}',
        '{"dataframe_split": {"columns": ["a","b"]}}',
        '{"columns": ["a","b"]}',
        '{"columns": ["a",null], "data": [[1,2]]}',
        '{"columns": ["a","b"], "data": [[1,2]]}\n{"columns": ["a","b"], "data": [[1,2]]}',
        '[[1,2]], "columns": []',
        "[[1,2]]}",
        "[[1,2]]}\n{",
        '[[1,2]]}\n{"instances": [[3,4]]',
        "[" * 200_000,
        '{"instances":' * 200_000,
        '{"columns":' + "[" * 200_000,
        '{"columns": ["a","b"], "data": ' + "[" * 200_000,
        '{"dataframe_split": ' + '{"data":' * 200_000,
        '{"instances": [[' + "9" * 100_000 + ",1]]}",
    ],
)  # fmt: skip
def test_documents_that_look_like_rows_of_numbers(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert same(verdict(text), slow_verdict(text, monkeypatch))


@pytest.mark.parametrize(
    "body",
    [
        b'{"columns": ["a\xff","b"], "data": [[1,2]]}',
        b'{"dataframe_split": {"columns": ["a","\xff"], "data": [[1,2]]}}',
        b'{"\xff": [[1,2]]}',
        b'[[1,2],["\xff",1]]',
    ],
)
def test_bytes_that_are_no_utf_8_are_refused(body: bytes) -> None:
    assert read_numbers(body, NAMES) is None
    with pytest.raises(RequestError, match="not valid JSON"):
        read_request(READER, body, JSON)


@pytest.mark.parametrize("count", [1, 2, 150, 1_000])
def test_answers_are_the_same_numbers(count: int) -> None:
    generator = np.random.default_rng(1)
    table = generator.random((count, 3)) * 10.0 ** generator.integers(-300, 300, (count, 3))
    assert json.loads(rows_text(table)) == table.tolist()
    assert [json.loads(row) for row in row_texts(table)] == table.tolist()
    assert json.loads(numbers_text(table[:, 0])) == table[:, 0].tolist()


@pytest.mark.parametrize("write", [rows_text, row_texts, lambda table: numbers_text(table.ravel())])
@pytest.mark.parametrize("count", [1, 1_000])
def test_an_answer_has_no_number_that_json_does_not_have(write: Any, count: int) -> None:
    table = np.zeros((count, 3))
    table[-1, -1] = math.nan
    with pytest.raises(ValueError, match=r"finite number|not JSON compliant"):
        write(table)
