"""Plain lines, which Arrow reads: as their cells are read one by one, or not at all."""

import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_code.inference.requests import CSV, RequestError, read_request
from ml_code.table.columns import Column, Dialect, Schema, SchemaError
from ml_code.table.files import read_files
from ml_code.table.rows import RowReader
from tests.ml_code.table.test_same_verdict import (
    COLUMNS,
    ROWS_A_TYPE,
    ROWS_AN_EXAMPLE,
    cells,
    good_texts,
    schema_of,
)


@pytest.mark.parametrize("kind", COLUMNS)
def test_plain_lines_are_read_as_their_cells_are_or_not_at_all(kind: str) -> None:
    column = COLUMNS[kind]
    reader = RowReader(schema_of(column))
    plain = cells(column).filter(lambda text: not set(text) & set(',"\r\n'))

    @settings(
        max_examples=ROWS_A_TYPE // ROWS_AN_EXAMPLE, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(
        st.lists(
            plain | good_texts[column.type].filter(lambda text: "," not in text),
            min_size=1,
            max_size=2 * ROWS_AN_EXAMPLE,
        )
    )
    def read(texts: list[str]) -> None:
        text = "".join(f"{text},1\n" for text in texts)
        found = reader.plain_csv(text.encode(), skipped_lines=0)
        if found is not None:
            assert np.array_equal(found, reader.texts([[text, "1"] for text in texts]), equal_nan=True)

    read()


# Of the length of a plain date or moment, and none, or none that Python knows.
LOOK_PLAIN = {
    "date": ["2013-02-30", "0000-01-01", "01.05.2013", "2013-5-001", "20130501  "],
    "datetime": ["2013-02-30T00:00:00", "0000-01-01T00:00:00", "2013-05-01T10+05:30", "2013-05-01T24:00:00"],
}


@pytest.mark.parametrize("kind", LOOK_PLAIN)
def test_plain_dates_are_read_as_their_cells_are_or_not_at_all(kind: str) -> None:
    reader = RowReader(schema_of(COLUMNS[kind]))
    moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59))
    plain = moments.map(lambda moment: moment.isoformat(timespec="seconds")[: 10 if kind == "date" else 19])
    good = plain | st.sampled_from(["", "NA"])

    @settings(max_examples=ROWS_A_TYPE // ROWS_AN_EXAMPLE, deadline=None)
    @given(
        st.lists(good, min_size=1, max_size=ROWS_AN_EXAMPLE), st.none() | st.sampled_from(LOOK_PLAIN[kind])
    )
    def read(texts: list[str], odd: str | None) -> None:
        texts = [*texts, *([] if odd is None else [odd])]
        found = reader.plain_csv("".join(f"{text},1\n" for text in texts).encode(), skipped_lines=0)
        assert found is not None
        assert np.array_equal(found, reader.texts([[text, "1"] for text in texts]), equal_nan=True)

    read()


@pytest.mark.parametrize(("kind", "missing"), [("date", "1900-01-01"), ("datetime", "9999-12-31T00:00:00")])
def test_a_missing_value_that_looks_like_a_date_is_missing_among_any_others(kind: str, missing: str) -> None:
    reader = RowReader(Schema((COLUMNS[kind], Column(name="n", required=True)), ("", missing)))
    for others in ([], ["2020-01-02" if kind == "date" else "2020-01-02T03:04:05"], [""]):
        lines = "".join(f"{text},1\n" for text in [missing, *others])
        found = reader.plain_csv(lines.encode(), skipped_lines=0)
        assert found is not None
        assert math.isnan(found[0, 0])


@pytest.mark.parametrize(
    "lines", ["1,2\r3,4\r", "1,2\r3,4\n", "1,2\n3\0,4\n", "\ufeff1,2\n"], ids=["returns", "both", "nul", "mark"]
)  # fmt: skip
def test_the_length_of_a_request_does_not_decide_whether_it_is_read(lines: str) -> None:
    reader = RowReader(Schema((Column(name="a", minimum=0), Column(name="b", minimum=0))))

    def verdict(text: str) -> str:
        try:
            return str(read_request(reader, text.encode(), CSV).shape[1])
        except (RequestError, SchemaError) as error:
            return str(error)

    # A mark at the start is no part of the text; one behind it is.
    assert verdict("\ufeff" + lines) == verdict("\ufeff" + lines * 1_000)


def test_a_delimiter_beyond_ascii_is_read_as_any_other(tmp_path: Path) -> None:
    columns = (Column(name="a", minimum=0), Column(name="b", minimum=0))
    schema = Schema(columns, dialect=Dialect(delimiter="§"))
    lines = "1§2\n" * 3_000
    assert read_request(RowReader(schema), lines.encode(), CSV).shape == (3_000, 2)
    (tmp_path / "x.csv").write_text(f"a§b\n{lines}", encoding="utf-8")
    assert len(read_files(tmp_path, ["x.csv"], schema)) == 3_000
