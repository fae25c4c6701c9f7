"""Files of raw data, CSV and Parquet, to one checked table."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml_code.raw_files import RawFileError, is_parquet, open_text
from ml_code.table.cells import Values
from ml_code.table.columns import Schema, SchemaError
from ml_code.table.contract import CellAt, allowed_cells, check_columns, find_faults
from ml_code.table.frames import decode, encode
from ml_code.table.rows import RowReader

CHUNK_ROWS = 20_000
_SHOWN_FAULTS = 5


@dataclass(frozen=True)
class Part:
    """The rows of one file, encoded; `texts` has the columns of free text, by name."""

    name: str
    values: Values
    texts: dict[str, list[Any]]


def read_files(
    folder: Path, names: Sequence[str], schema: Schema, ignored: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows of all files, in the order of `names`; `ignored` columns of the files are left out.

    SchemaError names the file, and of each column the rules that are broken, how often, and the first rows.
    """
    parts = [_read_part(folder, name, schema, frozenset(ignored)) for name in names]
    _check_unique(parts, schema)
    values = np.concatenate([part.values for part in parts])
    texts = {
        column.name: [text for part in parts for text in part.texts[column.name]]
        for column in schema.columns
        if column.is_text
    }
    return decode(values, schema, texts)


def _read_part(folder: Path, name: str, schema: Schema, ignored: frozenset[str]) -> Part:
    path = folder / name
    try:
        read = _read_parquet if is_parquet(path) else _read_csv
        return read(path, name, schema, ignored)
    except (SchemaError, RawFileError) as error:
        raise SchemaError(f"{name!r}: {error}") from None


def _read_csv(path: Path, name: str, schema: Schema, ignored: frozenset[str]) -> Part:
    with open_text(path, schema.dialect.encoding) as text:
        reader = csv.reader(text, delimiter=schema.dialect.delimiter)
        try:
            return _Rows(schema, ignored).read(name, reader)
        except csv.Error as error:
            raise RawFileError(f"line {reader.line_num}: {error}") from None


class _Rows:
    """The rows of a CSV file, chunk by chunk."""

    def __init__(self, schema: Schema, ignored: frozenset[str]) -> None:
        self.schema, self.ignored = schema, ignored
        self.reader = RowReader(schema)
        self.blocks: list[Values] = []
        self.texts: dict[str, list[Any]] = {column.name: [] for column in schema.columns if column.is_text}
        self.bad_cells: dict[tuple[int, int], str] = {}
        self.wrong_widths: list[tuple[int, int]] = []
        self.row_count = 0

    def read(self, name: str, reader: Any) -> Part:
        header = self._header(reader)
        rows = self._whole_rows(reader, len(header))
        while chunk := list(islice(rows, CHUNK_ROWS)):
            self._add(header, chunk)
        if self.wrong_widths:
            line, count = self.wrong_widths[0]
            number = len(self.wrong_widths)
            raise RawFileError(
                f"{'1 row has' if number == 1 else f'{number:,} rows have'} more or fewer values than the "
                f"{len(header)} of the header; the first is line {line} with {count}"
            )
        if not self.row_count:
            raise SchemaError("there are no rows; send at least one")
        values = np.concatenate(self.blocks)
        _refuse_faults(values, self.schema, lambda row, position: self.bad_cells[row, position])
        return Part(name, values, self.texts)

    def _header(self, reader: Any) -> list[str]:
        if not self.schema.dialect.header:
            return self.schema.names
        header = next((row for row in reader if row), None)
        if header is None:
            raise RawFileError("it is empty")
        names = [cell.removeprefix("\ufeff").strip() for cell in header]
        check_columns(_without(names, self.ignored), self.schema)
        return names

    def _whole_rows(self, reader: Any, width: int) -> Iterator[list[str]]:
        for row in reader:
            if len(row) == width:
                yield row
            elif row:
                self.wrong_widths.append((reader.line_num, len(row)))

    def _add(self, header: list[str], rows: Sequence[Sequence[str]]) -> None:
        names = self.schema.names
        if header != names:
            places = [header.index(name) for name in names]
            pick = itemgetter(*places)
            rows = [pick(row) for row in rows] if len(places) > 1 else [(row[places[0]],) for row in rows]
        block = self.reader.texts(rows)
        for position, column in enumerate(self.schema.columns):
            if column.is_text:
                cells = (row[position] for row in rows)
                self.texts[column.name] += _texts(cells, block[:, position])
        for row, position in np.argwhere(~allowed_cells(block, self.schema)).tolist():
            self.bad_cells[self.row_count + row, position] = rows[row][position]
        self.blocks.append(block)
        self.row_count += len(rows)


def _texts(cells: Iterable[Any], values: Values) -> list[Any]:
    return [None if is_missing else cell for cell, is_missing in zip(cells, np.isnan(values), strict=True)]


def _without(names: Sequence[str], ignored: frozenset[str]) -> list[str]:
    return [name for name in names if name not in ignored]


def _read_parquet(path: Path, name: str, schema: Schema, ignored: frozenset[str]) -> Part:
    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise RawFileError(f"it is damaged: {' '.join(str(error).split())}") from None
    check_columns(_without(table.column_names, ignored), schema)
    if not table.num_rows:
        raise SchemaError("there are no rows; send at least one")
    frame = pd.DataFrame({column: _pandas(table.column(column)) for column in schema.names})
    values = encode(frame, schema)
    names = schema.names
    _refuse_faults(values, schema, lambda row, position: frame[names[position]].iloc[row])
    texts = {
        column.name: _texts(frame[column.name], values[:, position])
        for position, column in enumerate(schema.columns)
        if column.is_text
    }
    return Part(name, values, texts)


def _pandas(column: pa.ChunkedArray) -> "pd.Series[Any]":
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    series: pd.Series[Any] = column.to_pandas()
    return series


def _refuse_faults(values: Values, schema: Schema, cell_at: CellAt) -> None:
    faults = [fault.sentence for fault in find_faults(values, schema, cell_at)]
    if faults:
        hidden = len(faults) - _SHOWN_FAULTS
        more = f"; and {hidden} more rules are broken" if hidden > 0 else ""
        raise SchemaError("; ".join(faults[:_SHOWN_FAULTS]) + more)


def _check_unique(parts: Sequence[Part], schema: Schema) -> None:
    places = [(part.name, row) for part in parts for row in range(1, len(part.values) + 1)]
    for position, column in enumerate(schema.columns):
        if not column.unique:
            continue
        cells = pd.Series(
            [text for part in parts for text in part.texts[column.name]]
            if column.is_text
            else np.concatenate([part.values[:, position] for part in parts])
        ).dropna()
        doubled = cells[cells.duplicated(keep=False)]
        if len(doubled):
            first, second, *_ = doubled.index[doubled == doubled.iloc[0]]
            (file, row), (other_file, other_row) = places[first], places[second]
            raise SchemaError(
                f"column {column.name!r} breaks the rule unique in {len(doubled):,} of {len(places):,} rows: "
                f"row {row} of {file!r} and row {other_row} of {other_file!r} have the same value; take one away"
            )
