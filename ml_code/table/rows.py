"""Rows of cells to encoded values, column by column."""

from collections.abc import Callable, Sequence
from itertools import chain, groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from ml_code.table.cells import NumberReader, Reader, Values, readers
from ml_code.table.columns import NUMERIC, Schema


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

    def texts(self, rows: Sequence[Sequence[str]]) -> Values:
        return self._read(rows, lambda reader, cells: reader.texts(cells))

    def values(self, rows: Sequence[Sequence[Any]]) -> Values:
        return self._read(rows, lambda reader, cells: reader.values(cells))

    def _read(self, rows: Sequence[Sequence[Any]], read: Callable[[Reader, Sequence[Any]], Values]) -> Values:
        count, width = len(rows), len(self.schema.columns)
        if len(self.groups) == 1:
            return read(self.groups[0][2], list(chain.from_iterable(rows))).reshape(count, width)
        found = np.empty((count, width))
        for start, end, reader in self.groups:
            if end - start == 1:
                found[:, start] = read(reader, [row[start] for row in rows])
            else:
                cells = list(chain.from_iterable([row[start:end] for row in rows]))
                found[:, start:end] = read(reader, cells).reshape(count, end - start)
        return found

    def plain_csv(self, text: str, *, skipped_lines: int) -> Values | None:
        """Read lines without quotes by Arrow. Return the values that `texts` would return, or None if they might differ."""
        table = self.plain_table(text, self.schema.names, skipped_lines=skipped_lines)
        values = None if table is None else self.table_values(table)
        # As `texts` has them: the order in memory may change the last bit of a product of matrices.
        return None if values is None else np.ascontiguousarray(values)

    def plain_table(
        self, text: str, names: Sequence[str], *, skipped_lines: int, has_quotes: bool = False
    ) -> pa.Table | None:
        """The schema's columns of lines with the columns `names`, numbers as such and the others as text."""
        schema = self.schema
        readers_of_numbers = [reader for _, _, reader in self.groups if isinstance(reader, NumberReader)]
        if not all(reader.is_plain and not reader.has_numeric_missing for reader in readers_of_numbers):
            return None
        kinds = {
            column.name: pa.float64() if column.type in NUMERIC else pa.string() for column in schema.columns
        }
        try:
            return arrow_csv.read_csv(
                pa.BufferReader(text.encode()),
                arrow_csv.ReadOptions(
                    use_threads=False,
                    column_names=list(names),
                    skip_rows=skipped_lines,
                    block_size=max(1 << 24, 4 * len(text)),
                ),
                arrow_csv.ParseOptions(
                    delimiter=schema.dialect.delimiter, quote_char='"' if has_quotes else False
                ),
                arrow_csv.ConvertOptions(
                    column_types=kinds,
                    null_values=list(schema.missing_values),
                    include_columns=schema.names,
                ),
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


def _arrow_values(column: pa.ChunkedArray, reader: Reader) -> Values | None:
    if isinstance(reader, NumberReader):
        numbers: Values = column.to_numpy()
        # Besides missing values Arrow reads nan and inf, which are no numbers of a file.
        is_finite = np.isfinite(numbers)
        return numbers if len(numbers) - is_finite.sum() == column.null_count else None
    # Of text, each value is read once.
    encoded = column.combine_chunks().dictionary_encode()
    codes = reader.texts(encoded.dictionary.to_pylist())
    places: NDArray[np.int32] = encoded.indices.to_numpy()
    return codes[places]


def _kind(position: int, reader: Reader) -> Any:
    return "number" if isinstance(reader, NumberReader) else position
