"""Rows of cells to encoded values, column by column."""

import codecs
from collections.abc import Callable, Sequence
from itertools import chain, groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from ml_code.table.cells import FIRST_SECOND, DateReader, NumberReader, Reader, Values, readers
from ml_code.table.columns import DATES, NUMERIC, Column, Schema

# Arrow parses and converts so much at a time: more does not stay in the processor's cache.
_BLOCK_BYTES = 1 << 20


class RowReader:
    """Reads rows whose cells are in the schema's order, one row as well as many thousands; it checks nothing."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        # Columns of numbers side by side are read as one: there are no differences between them.
        places = groupby(enumerate(readers(schema)), key=lambda each: _kind(*each))
        self.groups: list[tuple[int, int, Reader]] = []
        for _, group in places:
            members = list(group)
            self.groups.append((members[0][0], members[-1][0] + 1, members[0][1]))

        readers_of_numbers = [reader for _, _, reader in self.groups if isinstance(reader, NumberReader)]
        self._is_plain = schema.dialect.delimiter.isascii() and all(
            reader.is_plain and not reader.has_numeric_missing for reader in readers_of_numbers
        )
        self._conversion = _conversion(schema)

    def texts(self, rows: Sequence[Sequence[str]]) -> Values:
        return self._read(rows, lambda reader, cells: reader.texts(cells))

    def values(self, rows: Sequence[Sequence[Any]]) -> Values:
        return self._read(rows, lambda reader, cells: reader.values(cells))

    def _read(self, rows: Sequence[Sequence[Any]], read: Callable[[Reader, Sequence[Any]], Values]) -> Values:
        count, width = len(rows), len(self.schema.columns)
        if len(self.groups) == 1:
            return read(self.groups[0][2], list(chain.from_iterable(rows))).reshape(count, width)
        found = np.empty((count, width))
        columns = list(zip(*rows, strict=True))
        for start, end, reader in self.groups:
            cells = list(chain.from_iterable(columns[start:end]))
            found[:, start:end] = read(reader, cells).reshape(end - start, count).T
        return found

    def plain_csv(self, text: bytes, *, skipped_lines: int) -> Values | None:
        """Read lines without quotes by Arrow. Return the values that `texts` would return, or None if they might differ."""
        table = self.plain_table(text, self.schema.names, skipped_lines=skipped_lines)
        values = None if table is None else self.table_values(table)
        # As `texts` has them: the order in memory may change the last bit of a product of matrices.
        return None if values is None else np.ascontiguousarray(values)

    def plain_table(
        self, text: bytes | bytearray, names: Sequence[str], *, skipped_lines: int, has_quotes: bool = False
    ) -> pa.Table | None:
        """The schema's columns of lines with the columns `names`: numbers, booleans, and the others as text.

        `text` is valid UTF-8. Return None if Python's csv might read it in another way.
        """
        schema = self.schema
        if not self._is_plain or text.startswith(codecs.BOM_UTF8) or b"\0" in text:
            return None
        # To find none is far quicker than to count none.
        if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
            return None
        try:
            return arrow_csv.read_csv(
                pa.BufferReader(text),
                arrow_csv.ReadOptions(
                    use_threads=False,
                    column_names=list(names),
                    skip_rows=skipped_lines,
                    block_size=_BLOCK_BYTES,
                ),
                arrow_csv.ParseOptions(
                    delimiter=schema.dialect.delimiter, quote_char='"' if has_quotes else False
                ),
                self._conversion,
            )
        except pa.ArrowInvalid:
            return None

    def table_values(self, table: pa.Table) -> Values | None:
        """Return the encoded values of `plain_table`, column after column in memory, or None if `texts` might read others."""
        found = np.empty((table.num_rows, len(self.schema.columns)), order="F")
        for start, end, reader in self.groups:
            for place in range(start, end):
                values = _arrow_values(table.column(place), reader)
                if values is None:
                    return None
                found[:, place] = values
        return found


def _conversion(schema: Schema) -> arrow_csv.ConvertOptions:
    """Arrow's types of the schema's columns."""
    # It takes the same texts for all columns of booleans; another column of them is read as text.
    booleans = next((found for column in schema.columns if (found := _boolean_texts(column))), ((), ()))

    def type_of(column: Column) -> pa.DataType:
        if column.type in NUMERIC:
            return pa.float64()
        if column.is_text or column.type in DATES:
            return pa.string()
        return pa.bool_() if _boolean_texts(column) == booleans else pa.dictionary(pa.int32(), pa.string())

    return arrow_csv.ConvertOptions(
        column_types={column.name: type_of(column) for column in schema.columns},
        null_values=list(schema.missing_values),
        true_values=booleans[0],
        false_values=booleans[1],
        include_columns=schema.names,
        check_utf8=False,
    )


def _arrow_values(column: pa.ChunkedArray, reader: Reader) -> Values | None:
    if isinstance(reader, NumberReader):
        return arrow_numbers(column)
    if pa.types.is_boolean(column.type):
        found: Values = pc.cast(pc.cast(column, pa.uint8()), pa.float64()).to_numpy()
        return found
    if isinstance(reader, DateReader) and (moments := _plain_moments(column, reader)) is not None:
        return moments
    # Of text, each value is read once.
    encoded = column.combine_chunks()
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    codes = reader.texts(encoded.dictionary.to_pylist())
    places: NDArray[np.int32] = encoded.indices.to_numpy()
    return codes[places]


def arrow_numbers(column: pa.ChunkedArray) -> Values | None:
    """The numbers, NaN where one is missing. None if there is nan or inf: Arrow reads them, and they are no numbers of CSV or JSON."""
    numbers: Values = column.to_numpy()
    finite_count = np.count_nonzero(np.isfinite(numbers))
    return numbers if len(numbers) - finite_count == column.null_count else None


def _plain_moments(column: pa.ChunkedArray, reader: DateReader) -> Values | None:
    """Encoded dates that are all written like 2013-05-01, or moments like 2013-05-01T10:21:00; else None."""
    if not reader.plain_length:
        return None
    lengths = pc.binary_length(column)
    if pc.min(lengths).as_py() != reader.plain_length:  # missing ones have another
        column = pc.if_else(pc.is_in(column, pa.array(reader.missing, pa.string())), None, column)
        lengths = pc.binary_length(column)
    if set(pc.min_max(lengths).as_py().values()) != {reader.plain_length}:
        return None
    try:
        seconds = pc.cast(pc.cast(column, pa.timestamp("s")), pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    found: Values = seconds.astype(np.float64)
    # Arrow knows a year 0, Python does not.
    return found if np.nanmin(found) >= FIRST_SECOND else None


def _boolean_texts(column: Column) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    return (column.true_values, column.false_values) if column.type == "boolean" else None


def _kind(position: int, reader: Reader) -> Any:
    return "number" if isinstance(reader, NumberReader) else position
