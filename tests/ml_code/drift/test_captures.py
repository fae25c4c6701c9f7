import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_code.contracts import INFERENCE_ID
from ml_code.drift.captures import SHOWN_FAULTS, read_captures
from ml_code.table.columns import Column, Schema
from tests.ml_code.drift.captures import captured

ROW = [1.5, 2.0, 3]
REFUSAL = '{"error": "the body is empty"}'


@pytest.mark.parametrize(
    "line",
    [
        captured("1.5,2,3"),
        captured("width,height,label\n1.5,2,3\n"),
        captured("height,label,width\n2,3,1.5\n"),
        captured("1.5,2,3", "text/csv; charset=utf-8"),
        captured(b"1.5,2,3"),
        captured(json.dumps({"instances": [ROW]}), "application/json"),
        captured(json.dumps([ROW]), "application/json"),
        captured(json.dumps([dict(zip(("width", "height", "label"), ROW, strict=True))]), "application/json"),
        captured(json.dumps({"columns": ["width", "height", "label"], "data": [ROW]}), "application/json"),
        captured(json.dumps({"dataframe_split": {"columns": ["label", "width", "height"], "data": [[3, 1.5, 2]]}}), "application/json"),
        captured(json.dumps([ROW]).encode(), "application/json"),
    ],
)  # fmt: skip
def test_a_request_is_read_as_the_endpoint_reads_it(line: bytes, schema: Schema) -> None:
    found = read_captures([("a.jsonl", [line])], schema, maximum_rows=10)
    assert found.values(schema).tolist() == [ROW]
    assert (found.requests, found.refused, found.unreadable) == (1, 0, 0)


@pytest.mark.parametrize(
    "line",
    [
        captured("1.5,2,3", answer=REFUSAL),
        captured("1.5,2,3", answer=None),
        captured("1.5,2", answer=REFUSAL),
        captured("1.5,2,99"),
        captured("a,b,c"),
        captured("NaN,2,3"),
        captured(""),
        captured("<rows/>", "application/xml", encoding="CSV"),
        captured("{", "application/json"),
        captured(b"\xff\xfe\x00", "text/csv"),
        captured("[" * 100_000, "application/json"),
    ],
)
def test_what_was_not_answered_is_no_input(line: bytes, schema: Schema) -> None:
    found = read_captures([("a.jsonl", [line, captured("1,1,1")])], schema, maximum_rows=10)
    assert (found.requests, found.refused, found.unreadable, found.rows) == (2, 1, 0, 1)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"not json", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"null", "captureData must be an object"),
        (b"{}", "captureData must be an object"),
        (b'{"captureData": {"endpointInput": []}}', "endpointInput must be an object"),
        (b'{"captureData": {"endpointInput": {"data": 1}}}', "data must be text"),
        (captured("1,2,3", encoding="ROT13"), "encoding must be BASE64, CSV or JSON, got 'ROT13'"),
        (captured("%%%", encoding="BASE64"), "data is not base64"),
        (captured("1,2,3", answer="x").replace(b'"CSV"', b'"BASE64"'), "data is not base64"),
    ],
)
def test_a_bad_line_is_counted_and_told_and_ends_nothing(line: bytes, fault: str, schema: Schema) -> None:
    found = read_captures(
        [("2026/11/24/12/a.jsonl", [b"\n", line, captured("1,1,1")])], schema, maximum_rows=10
    )
    assert (found.requests, found.refused, found.unreadable, found.rows) == (1, 0, 1, 1)
    (told,) = found.faults
    assert told.startswith("2026/11/24/12/a.jsonl, line 2: ")
    assert fault in told
    assert len(told) <= 200


def test_what_a_verification_asked_is_no_input(schema: Schema) -> None:
    lines = [
        captured("1,1,1", inference_id=INFERENCE_ID),
        captured("x", inference_id=INFERENCE_ID, answer=REFUSAL),
        captured("2,2,2", inference_id="4711"),
    ]
    found = read_captures([("a.jsonl", lines)], schema, maximum_rows=10)
    assert found.values(schema).tolist() == [[2, 2, 2]]
    assert (found.requests, found.refused, found.unreadable) == (1, 0, 0)


def test_only_the_first_faults_are_told(schema: Schema) -> None:
    found = read_captures([("a.jsonl", [b"x"] * 50)], schema, maximum_rows=10)
    assert (found.unreadable, len(found.faults)) == (50, SHOWN_FAULTS)


def test_it_stops_once_it_has_enough(schema: Schema) -> None:
    def files() -> Iterator[tuple[str, list[bytes]]]:
        yield "a.jsonl", [captured("1,1,1\n" * 7), captured("2,2,2\n" * 7)]
        pytest.fail("it asked for another file")

    found = read_captures(files(), schema, maximum_rows=10)
    assert found.rows == len(found.values(schema)) == 10


def test_no_line_is_no_row(schema: Schema) -> None:
    found = read_captures([("a.jsonl", [])], schema, maximum_rows=10)
    assert found.values(schema).shape == (0, 3)
    assert found.summary() == {"requests": 0, "rows": 0, "refused": 0, "unreadable": 0, "faults": []}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
GOOD = json.loads(captured("1.5,2,3"))
MEMBERS = ("captureData", "endpointInput", "endpointOutput", "observedContentType", "data", "encoding")


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(MEMBERS), anything, max_size=2), st.binary(max_size=30))
def test_no_line_stops_the_comparison(changes: dict[str, Any], other: bytes) -> None:
    def changed(document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        return {key: changes.get(key, changed(value)) for key, value in document.items()}

    schema = Schema(tuple(Column(name=name, required=True) for name in ("width", "height", "label")))
    lines = [json.dumps(changed(GOOD)).encode(), captured(other), captured("1,2,3"), other]
    found = read_captures([("a.jsonl", lines)], schema, maximum_rows=10)
    assert found.rows >= 1
    assert all("\n" not in fault for fault in found.faults)
