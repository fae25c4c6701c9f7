"""Rows of cells to encoded values, column by column."""

from collections.abc import Callable, Sequence
from itertools import chain, groupby
from typing import Any

import numpy as np

from ml_code.table.cells import NumberReader, Reader, Values, readers
from ml_code.table.columns import Schema


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


def _kind(position: int, reader: Reader) -> Any:
    return "number" if isinstance(reader, NumberReader) else position
