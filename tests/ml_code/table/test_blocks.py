"""A file read block by block is the file read at once: the same rows, the same faults, at any border of blocks."""

import gzip
import hashlib
import os
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_code.table import blocks, lines
from ml_code.table.blocks import read_blocks
from ml_code.table.columns import Column, Dialect, Schema, SchemaError, format_date
from ml_code.table.files import read_files

SCHEMA = Schema(
    (
        Column(name="a", minimum=0, maximum=100),
        Column(name="kind", type="string", enum=("red", "blue, light")),
        Column(name="key", type="string"),
    )
)
CELLS = {
    "a": st.sampled_from(["1", "2.5", "", " 3 ", "101", "x", "1_0"]),
    "kind": st.sampled_from(["red", '"blue, light"', "", "green", ' "red"']),
    "key": st.sampled_from(["k1", '"two\nlines"', "", '"say ""so"""', "k\r2"]),
    "other": st.sampled_from(["", "note", '"a, b"', "one,too,many"]),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), max_size=12)


def with_care(path: Path) -> Any:
    """As Python's csv alone reads it, in one block."""
    with mock.patch.object(blocks._CsvBlocks, "_plain", return_value=None):  # noqa: SLF001
        return outcome(path, 1 << 20)


def outcome(path: Path, size: int) -> Any:
    try:
        with mock.patch.object(lines, "BLOCK_BYTES", size), mock.patch.object(blocks, "BLOCK_ROWS", 3):
            found = list(read_blocks(path, "x.csv", SCHEMA, frozenset({"other"})))
    except SchemaError as error:
        return str(error)
    assert all(len(block.values) for block in found)
    return np.concatenate([block.values for block in found]), [
        text for block in found for text in block.texts["key"]
    ]


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, end=st.sampled_from(["\n", "\r\n", "\r"]), size=st.integers(1, 60), ends=st.booleans())
def test_borders_of_blocks_change_nothing(
    rows: list[dict[str, str]], end: str, size: int, ends: bool
) -> None:
    lines = [
        "a,other,kind,key",
        *(",".join((row["a"], row["other"], row["kind"], row["key"])) for row in rows),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes((end.join(lines) + (end if ends else "")).encode())
        whole, parts = with_care(path), outcome(path, size)
    if isinstance(whole, str):
        assert parts == whole
    else:
        assert np.array_equal(parts[0], whole[0], equal_nan=True)
        assert parts[1] == whole[1]


@pytest.mark.parametrize("row", [3, 149_999])
def test_a_bad_row_far_down_is_named(tmp_path: Path, row: int) -> None:
    lines = ["1,red,k"] * 150_000
    lines[row] = "hot,red,k"
    (tmp_path / "x.csv").write_text("a,kind,key\n" + "\n".join(lines))
    with pytest.raises(SchemaError) as error:
        read_files(tmp_path, ["x.csv"], SCHEMA)
    assert f"in 1 of 150,000 rows: row {row + 1} has 'hot'" in str(error.value)


def test_blocks_of_parquet_are_checked_as_one_file(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0] * 120_000, "kind": ["red"] * 120_000, "key": ["k"] * 120_000})
    frame.loc[[60_000, 110_000], "a"] = 900.0
    frame.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(SchemaError, match=r"in 2 of 120,000 rows: row 60001 has 900\.0, row 110001 has"):
        read_files(tmp_path, ["x.parquet"], SCHEMA)


@pytest.mark.parametrize("size", [1 << 20, 9])
def test_blank_lines_are_no_rows(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,kind,key\n\n\n\n\n\n\n\n\n\n\n")
    assert "there are no rows" in outcome(path, size)
    path.write_text("a,kind,key\n1,red,k\n\n\n\n\n\n\n\n\n\n")
    assert outcome(path, size)[1] == ["k"]


def test_a_byte_order_mark_within_a_file_is_part_of_its_cell(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,kind,key\n1,red,k\n\ufeff2,red,k\n", encoding="utf-8")
    for size in (1 << 20, 8):
        assert "row 2 has '\\ufeff2'" in outcome(path, size)


@pytest.mark.parametrize("start", ["", "a,kind,key\n1,red,k\n"], ids=["in the header", "in a row"])
def test_a_file_without_ends_of_lines_is_refused_before_it_fills_the_memory(
    tmp_path: Path, start: str
) -> None:
    with gzip.open(tmp_path / "x.csv.gz", "wb", compresslevel=1) as file:
        file.write(start.encode())
        for _ in range(80):
            file.write(bytes(1 << 20))
    with pytest.raises(SchemaError, match=r"a line has more than 67,108,864 bytes"):
        read_files(tmp_path, ["x.csv.gz"], SCHEMA)


@pytest.mark.parametrize("size", [*range(1, 12), 1 << 20])
def test_borders_of_blocks_change_nothing_in_another_encoding(tmp_path: Path, size: int) -> None:
    schema = Schema(SCHEMA.columns, dialect=Dialect(encoding="utf-16"))
    (tmp_path / "x.csv").write_text("a,kind,key\n1,red,Zürich\n2,red,😀😀\n3,red,é\n", encoding="utf-16")
    with mock.patch.object(lines, "BLOCK_BYTES", size):
        found = list(read_blocks(tmp_path / "x.csv", "x.csv", schema))
    assert [text for block in found for text in block.texts["key"]] == ["Zürich", "😀😀", "é"]


@pytest.mark.parametrize("kind", ["csv", "utf-8-sig", "utf-16", "gz", "members", "parquet"])
def test_a_file_is_hashed_while_it_is_read(tmp_path: Path, kind: str) -> None:
    text = "a,kind,key\n" + "1,red,Zürich\n" * 10_000
    path = tmp_path / "x"
    if kind == "gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif kind == "members":
        path.write_bytes(gzip.compress(text.encode()) + gzip.compress(b"2,red,k\n") + bytes(100))
    elif kind == "parquet":
        pd.DataFrame({"a": [1.0], "kind": ["red"], "key": ["k"]}).to_parquet(path)
    else:
        path.write_text(text, encoding="utf-8" if kind == "csv" else kind)
    dialect = Dialect(encoding="utf-16") if kind == "utf-16" else Dialect()
    digest = hashlib.sha256()
    with mock.patch.object(lines, "BLOCK_BYTES", 50_000):
        assert len(list(read_blocks(path, "x", Schema(SCHEMA.columns, dialect=dialect), digest=digest)))
    assert digest.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_line_of_a_row_with_too_many_values_is_named(tmp_path: Path, encoding: str, end: str) -> None:
    rows = ["a,kind,key", *['1,red,"é ""é"""'] * 300, *["1,red,ééé"] * 3000, "1,red,é,5", "1,red,é"]
    (tmp_path / "x.csv").write_bytes(end.join(rows).encode(encoding))
    schema = Schema(SCHEMA.columns, dialect=Dialect(encoding=encoding))
    for size in (100, 1000, 10_000):
        with (
            mock.patch.object(lines, "BLOCK_BYTES", size),
            pytest.raises(SchemaError, match="the first is line 3302 with 4"),
        ):
            list(read_blocks(tmp_path / "x.csv", "x.csv", schema))


def test_good_blocks_behind_others_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    rows = [
        f'{number % 100},red,"two\nlines"' if number % 50 == 0 else f"{number % 100},red,k"
        for number in range(1000)
    ]
    (tmp_path / "x.csv").write_text("\n".join(["a,kind,key", *rows, ""]))
    read: Counter[bytes] = Counter()
    plain = blocks._CsvBlocks._plain  # noqa: SLF001

    def counted(self: Any, header: list[str], text: bytearray) -> Any:
        read[bytes(text)] += 1
        return plain(self, header, text)

    monkeypatch.setattr(blocks._CsvBlocks, "_plain", counted)  # noqa: SLF001
    monkeypatch.setattr(lines, "BLOCK_BYTES", 110)
    found = list(read_blocks(tmp_path / "x.csv", "x.csv", SCHEMA))
    assert [value for block in found for value in block.values[:, 0]] == [
        number % 100 for number in range(1000)
    ]
    assert sum(read.values()) < 1.2 * len(read)


def parquet_outcome(folder: Path, column: Column, cells: list[Any], kind: pa.DataType) -> Any:
    pq.write_table(pa.table({"c": pa.array(cells, kind)}), folder / "x.parquet")
    try:
        (found,) = read_blocks(folder / "x.parquet", "x.parquet", Schema((column,)))
    except SchemaError as error:
        return str(error)
    return found


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_a_missing_text_in_parquet_is_named(tmp_path: Path, kind: pa.DataType) -> None:
    column = Column(name="c", type="string", required=True)
    assert "rule required in 1 of 2 rows: row 2 has None" in parquet_outcome(
        tmp_path, column, ["a", None], kind
    )


def test_a_date_of_parquet_in_a_column_of_text_is_text(tmp_path: Path) -> None:
    column = Column(name="c", type="string", pattern=r"\d{4}-\d\d-\d\d")
    found = parquet_outcome(tmp_path, column, [date(2020, 1, 2)], pa.date32())
    assert [str(text) for text in found.texts["c"]] == ["2020-01-02"]


@pytest.mark.parametrize("days", [-719_529, 2_932_897, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("kind", ["date", "datetime"])
def test_dates_of_parquet_beyond_the_years_of_python_are_refused(
    tmp_path: Path, days: int, kind: str
) -> None:
    column = Column(name="c", type=kind)
    for good in (date(1, 1, 1), date(9999, 12, 31)):
        found = parquet_outcome(tmp_path, column, [good, None], pa.date32())
        assert format_date(column, found.values[0, 0])[:10] == good.isoformat()
    assert "rule format default in 1 of 1 rows" in parquet_outcome(tmp_path, column, [days], pa.date32())
