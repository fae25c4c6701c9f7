"""A file of raw data, a request and a line of a batch are judged alike: the same verdict, column and rule."""

import csv
import json
import math
import re
import string
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_code.inference.requests import CSV, JSON, read_lines, read_request
from ml_code.table.cells import readers
from ml_code.table.columns import Column, Schema, SchemaError
from ml_code.table.contract import broken_rule
from ml_code.table.files import read_files
from ml_code.table.frames import encode
from ml_code.table.rows import RowReader
from ml_code.table.text import read_csv, write_csv

CATEGORIES = ("AA", "UA", "Zürich, Flughafen", 'say "no"')
COLUMNS = {
    "number": Column(name="c", type="number", minimum=-5, maximum=1e6),
    "any number": Column(name="c", type="number"),
    "integer": Column(name="c", type="integer", minimum=0, maximum=9, required=True),
    "any integer": Column(name="c", type="integer"),
    "integer of an enum": Column(name="c", type="integer", enum=(1, 2, 40)),
    "string": Column(name="c", type="string", enum=CATEGORIES),
    "boolean": Column(name="c", type="boolean", required=True),
    "date": Column(name="c", type="date", minimum=0.0),
    "date of a format": Column(name="c", type="date", format="%d.%m.%Y"),
    "datetime": Column(name="c", type="datetime"),
}
ROWS_A_TYPE, ROWS_AN_EXAMPLE = 2_000, 20

odd_texts = st.sampled_from(
    [
        "",
        " ",
        "NA",
        "nan",
        "inf",
        "1_0",
        "1,5",
        "1.234,5",
        "٣",
        "True",
        "1e999",
        "AA ",
        " UA",
        "aa",
        "0x1",
        "31.12.2026",
    ]
) | st.text(string.ascii_letters + string.digits + " .,:-+éß", max_size=12)
good_texts = {
    "number": st.floats(-10, 2e6).map(repr) | st.integers(-10, 100).map(str),
    "integer": st.integers(-2, 12).map(str) | st.integers(2**53 - 3, 2**53 + 3).map(str) | st.just("3.0"),
    "string": st.sampled_from([*CATEGORIES, "new"]),
    "boolean": st.sampled_from(["true", "False", "1", "0", "TRUE", "yes"]),
    "date": st.dates(date(1960, 1, 1)).map(str) | st.dates().map(lambda day: f"{day:%d.%m.%Y}"),
    "datetime": st.datetimes(datetime(1960, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.isoformat()),
}  # fmt: skip


def cells(column: Column) -> st.SearchStrategy[str]:
    return good_texts[column.type] | odd_texts


def schema_of(column: Column, *, unknown: bool = False) -> Schema:
    return Schema((column, Column(name="n", required=True)), ("", "NA"), unknown)


def csv_text(texts: list[str]) -> str:
    quoted = ['"' + text.replace('"', '""') + '"' for text in texts]
    return "".join(f"{text},1\n" for text in quoted)


def verdicts_of_a_file(folder: Path, schema: Schema, texts: list[str]) -> Counter[tuple[str, str]]:
    """How many rows break a rule, by the column and the rule."""
    (folder / "x.csv").write_text(f"c,n\n{csv_text(texts)}", encoding="utf-8")
    try:
        read_files(folder, ["x.csv"], schema)
    except SchemaError as error:
        sentence = str(error)
    else:
        return Counter()
    found = re.findall(r"column '(\w+)' breaks the rule (\S+)[^;]*? in (\d+) of", sentence)
    assert found, sentence
    return Counter({(column, rule): int(count) for column, rule, count in found})


def verdict_of_a_request(reader: RowReader, body: str) -> tuple[str, str] | None:
    try:
        read_request(reader, body, CSV)
    except SchemaError as error:
        sentence = str(error)
    else:
        return None
    found = re.match(r"column '(\w+)', row 1: ", sentence)
    assert found, sentence
    values = reader.texts([next(csv.reader(body.splitlines(), strict=True))])
    return found[1], broken_rule(reader.schema.columns[0], values[0, 0]).split()[0]


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_file_a_request_and_a_batch_judge_alike(kind: str, tmp_path: Path) -> None:
    column = COLUMNS[kind]

    @settings(
        max_examples=ROWS_A_TYPE // ROWS_AN_EXAMPLE, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(cells(column), min_size=ROWS_AN_EXAMPLE, max_size=ROWS_AN_EXAMPLE), st.booleans())
    def judge(texts: list[str], unknown: bool) -> None:
        schema = schema_of(column, unknown=unknown)
        reader = RowReader(schema)
        lines = [csv_text([text]) for text in texts]
        verdicts = [verdict_of_a_request(reader, line) for line in lines]
        # Rows that are all good are read in another way than those among which one is not.
        good = [text for text, verdict in zip(texts, verdicts, strict=True) if verdict is None]
        if good:
            assert not verdicts_of_a_file(tmp_path, schema, good)
        assert verdicts_of_a_file(tmp_path, schema, texts) == Counter(filter(None, verdicts))
        values, indices, faults = read_lines(reader, [line.removesuffix("\n") for line in lines])
        assert set(faults) == {row for row, verdict in enumerate(verdicts) if verdict}
        assert all(fault.startswith(f"column '{column.name}': ") for fault in faults.values())
        for row, together in zip(indices, values, strict=True):
            (alone,) = reader.texts([[texts[row], "1"]])
            assert np.array_equal(together, alone, equal_nan=True)

    judge()


@pytest.mark.parametrize("kind", COLUMNS)
def test_many_rows_are_read_as_each_is(kind: str) -> None:
    column = COLUMNS[kind]
    (reader,) = readers(Schema((column,), ("", "NA")))

    @settings(max_examples=ROWS_A_TYPE // ROWS_AN_EXAMPLE, deadline=None)
    @given(st.lists(cells(column), min_size=1, max_size=2 * ROWS_AN_EXAMPLE))
    def read(texts: list[str]) -> None:
        expected = [reader.text(text) for text in texts]
        assert np.array_equal(reader.texts(texts), expected, equal_nan=True)
        given_values: list[Any] = [*texts, None, 1, 2.5, True, 10**400, math.nan]
        for several in (texts, [*texts, None], given_values):
            expected = [reader.value(value) for value in several]
            assert np.array_equal(reader.values(several), expected, equal_nan=True)

    read()


@pytest.mark.parametrize("kind", COLUMNS)
def test_categories_of_pandas_are_read_as_their_cells(kind: str) -> None:
    schema = Schema((COLUMNS[kind],), ("", "NA"))

    @settings(max_examples=ROWS_A_TYPE // ROWS_AN_EXAMPLE, deadline=None)
    @given(st.lists(cells(COLUMNS[kind]) | st.none(), max_size=ROWS_AN_EXAMPLE))
    def read(texts: list[str | None]) -> None:
        plain = pd.DataFrame({"c": pd.Series(texts, dtype=object)})
        found = encode(plain.astype("category"), schema)
        assert np.array_equal(found, encode(plain, schema), equal_nan=True)

    read()


values_of: dict[str, st.SearchStrategy[Any]] = {
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "integer": st.integers(-(2**53) + 1, 2**53 - 1),
    "string": st.sampled_from(CATEGORIES),
    "boolean": st.booleans(),
    "date": st.dates(date(1900, 1, 1), date(2200, 1, 1)),
    "datetime": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.replace(microsecond=0)),
}  # fmt: skip


@pytest.mark.parametrize("kind", values_of)
def test_a_table_is_the_same_in_csv_json_and_parquet(kind: str, tmp_path: Path) -> None:
    schema = Schema((Column(name="c", type=kind, enum=CATEGORIES if kind == "string" else ()),))
    reader = RowReader(schema)
    file = tmp_path / "x.parquet"

    @settings(
        max_examples=ROWS_A_TYPE // ROWS_AN_EXAMPLE, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(values_of[kind] | st.none(), min_size=ROWS_AN_EXAMPLE, max_size=ROWS_AN_EXAMPLE))
    def compare(given_values: list[Any]) -> None:
        expected = reader.values([[value] for value in given_values])
        frame = read_csv(write_csv(pd.DataFrame({"c": given_values}, dtype=object), schema), schema)
        assert np.array_equal(encode(frame, schema), expected, equal_nan=True)
        frame.to_parquet(file)
        again = read_files(tmp_path, ["x.parquet"], schema)
        assert np.array_equal(encode(again, schema), expected, equal_nan=True)
        texts = [str(value) if isinstance(value, date) else value for value in given_values]
        body = json.dumps([[text] for text in texts])
        assert np.array_equal(read_request(reader, body, JSON), expected, equal_nan=True)

    compare()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "True is not allowed; give a number"),
        ([1], r"\[1\] is not allowed"),
        ("3", "'3' is not allowed"),
        (10**400, "inf is not allowed"),
    ],
)
def test_json_is_not_made_a_number(value: Any, shown: str) -> None:
    reader = RowReader(Schema((Column(name="c"),)))
    with pytest.raises(SchemaError, match=f"column 'c', row 2: {shown}"):
        read_request(reader, json.dumps([[1], [value]]), JSON)


def test_a_moment_with_a_zone_is_the_one_of_utc() -> None:
    (reader,) = readers(Schema((Column(name="c", type="datetime"),)))
    assert reader.text("2026-01-31T01:30:00+01:30") == reader.text("2026-01-31T00:00:00Z")
    assert (
        reader.text("2026-01-31T00:00") - reader.text("2026-01-30 00:00") == timedelta(days=1).total_seconds()
    )


def test_a_schema_survives_json() -> None:
    schema = Schema(tuple(COLUMNS.values()), ("", "NA"), unknown_categories=True)
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


def test_the_columns_of_former_versions_were_all_required() -> None:
    former = [{"name": "c", "type": "number", "minimum": 0, "maximum": None}]
    assert Schema.from_dict(former).columns == (Column(name="c", required=True, minimum=0),)
