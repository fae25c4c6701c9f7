"""Facts about a table that are counted over all of its rows, block by block and file by file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_code.table.blocks import Block
from ml_code.table.cells import Values
from ml_code.table.columns import Column, Schema, SchemaError
from ml_code.table.frames import decode
from ml_code.table.ranges import Ranges


@dataclass
class Summary:
    """Facts of each column: whether cells are missing and present, and the range of those that are."""

    schema: Schema
    row_count: int
    missing: NDArray[np.bool_]
    present: NDArray[np.bool_]
    lowest: Values
    highest: Values
    first_row: Values

    @classmethod
    def empty(cls, schema: Schema) -> Self:
        width = len(schema.columns)
        no = np.zeros(width, dtype=bool)
        return cls(schema, 0, no, no, np.full(width, np.inf), np.full(width, -np.inf), np.full(width, np.nan))

    def add(self, values: Values, ranges: Ranges) -> None:
        """Add the next rows, encoded; a category that the model does not know is one that is missing."""
        known = values
        for position, column in enumerate(self.schema.columns):
            if column.is_category and ranges.highest[position] >= len(column.enum):
                known = values.copy() if known is values else known
                known[known[:, position] >= len(column.enum), position] = np.nan
        found = ranges if known is values else Ranges.of(known)
        is_present = ~np.isnan(found.lowest)
        self._join(len(known), found.has_gaps, is_present, found.lowest, found.highest, known[0].copy())

    def merge(self, later: "Summary") -> None:
        self._join(
            later.row_count, later.missing, later.present, later.lowest, later.highest, later.first_row
        )

    def _join(
        self,
        row_count: int,
        missing: NDArray[np.bool_],
        present: NDArray[np.bool_],
        lowest: Values,
        highest: Values,
        first_row: Values,
    ) -> None:
        if not self.row_count:
            self.first_row = first_row
        self.row_count += row_count
        self.missing, self.present = self.missing | missing, self.present | present
        self.lowest, self.highest = np.fmin(self.lowest, lowest), np.fmax(self.highest, highest)

    @property
    def gaps(self) -> frozenset[str]:
        """The columns with missing cells."""
        return frozenset(
            column.name
            for column, is_missing in zip(self.schema.columns, self.missing, strict=True)
            if is_missing
        )

    def constant(self, name: str) -> str | None:
        """Return the text of the one value of all cells, or None if there are several values or fewer than two rows."""
        position = self.schema.names.index(name)
        if self.row_count < 2:
            return None
        if not self.present[position]:
            return "missing"
        if self.missing[position] or self.lowest[position] != self.highest[position]:
            return None
        column: Column = self.schema.columns[position]
        cell = decode(self.first_row[[position]].reshape(1, 1), Schema((column,)))[name]
        return repr(cell.tolist()[0])


def unique_columns(schema: Schema) -> list[tuple[int, Column]]:
    return [(position, column) for position, column in enumerate(schema.columns) if column.unique]


def keys_of(block: Block, schema: Schema) -> dict[str, NDArray[Any]]:
    """Eight bytes a row of each unique column: numbers as they are, of text a hash. NaN, or 0 of text, is missing."""
    keys: dict[str, NDArray[Any]] = {}
    for position, column in unique_columns(schema):
        if not column.is_text:
            keys[column.name] = block.values[:, position].copy()
            continue
        cells = pd.Series(block.texts[column.name], dtype=object)
        hashes = pd.util.hash_array(cells.to_numpy(), categorize=False)
        keys[column.name] = np.where(cells.isna().to_numpy(), np.uint64(0), hashes)
    return keys


def check_unique(files: Sequence[tuple[str, Sequence[Mapping[str, NDArray[Any]]]]], schema: Schema) -> None:
    """SchemaError names the first two rows with the same key; `files` have a name and the keys of their rows, by block."""
    for _, column in unique_columns(schema):
        keys = np.concatenate([found[column.name] for _, blocks in files for found in blocks])
        is_key = keys != 0 if column.is_text else ~np.isnan(keys)
        cells = pd.Series(keys)[is_key]
        doubled = cells[cells.duplicated(keep=False)]
        if doubled.empty:
            continue
        ends = np.cumsum([sum(len(found[column.name]) for found in blocks) for _, blocks in files])
        first, second, *_ = doubled.index[doubled == doubled.iloc[0]]
        (file, row), (other_file, other_row) = (_place(int(each), ends, files) for each in (first, second))
        raise SchemaError(
            f"column {column.name!r} breaks the rule unique in {len(doubled):,} of {len(keys):,} rows: "
            f"row {row} of {file!r} and row {other_row} of {other_file!r} have the same value; remove one"
        )


def _place(index: int, ends: NDArray[Any], files: Sequence[tuple[str, Any]]) -> tuple[str, int]:
    number = int(np.searchsorted(ends, index, side="right"))
    return files[number][0], index - (int(ends[number - 1]) if number else 0) + 1
