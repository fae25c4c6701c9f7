"""The cells that a schema allows, and the sentences about those that it does not.

Training data, requests, batches and data frames are all checked here, as encoded values.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_code.raw_files import some
from ml_code.table.cells import Values
from ml_code.table.columns import DATES, NUMERIC, Column, Schema, SchemaError
from ml_code.table.ranges import Ranges

# The cell as it was given, by its row and column.
CellAt = Callable[[int, int], Any]
_SHOWN_ROWS = 3
_SHOWN_FAULTS = 5
_SHOWN_CHARACTERS = 100
_PANDAS_INDEX = re.compile(r"Unnamed: \d+|")


def allowed_cells(values: Values, schema: Schema) -> NDArray[np.bool_]:
    """`values` are encoded, a column for each of the schema's."""
    good: NDArray[np.bool_] = (values >= schema.lower) & (values <= schema.upper)
    for position in schema.integer_positions:
        good[:, position] &= values[:, position] == np.floor(values[:, position])
    for position, allowed in schema.number_enums:
        good[:, position] &= np.isin(values[:, position], allowed)
    if schema.has_optional:
        good |= np.isnan(values) & schema.optional
    return good


def are_all_allowed(values: Values, ranges: Ranges, schema: Schema) -> bool:
    """Whether `allowed_cells` are all, which takes less time to say."""
    are_in_range = (ranges.lowest >= schema.lower) & (ranges.highest <= schema.upper)
    if not (are_in_range | np.isnan(ranges.lowest)).all() or (ranges.has_gaps & ~schema.optional).any():
        return False
    for position in schema.integer_positions:
        cells = values[:, position]
        uneven = cells != np.floor(cells)
        if uneven.any() and not np.isnan(cells[uneven]).all():
            return False
    return all(
        (np.isin(values[:, position], allowed) | np.isnan(values[:, position])).all()
        for position, allowed in schema.number_enums
    )


def check_values(values: Values, schema: Schema, cell_at: CellAt) -> None:
    """SchemaError names the first cell that is not allowed, rows counted from 1."""
    good = allowed_cells(values, schema)
    if good.all():
        return
    row, position = (int(index) for index in np.argwhere(~good)[0])
    column = schema.columns[position]
    fault = not_allowed(column, values[row, position], cell_at(row, position))
    raise SchemaError(f"column {column.name!r}, row {row + 1}: {fault}")


def find_bad_rows(values: Values, schema: Schema, cell_at: CellAt) -> dict[int, str]:
    """The fault of each row that the schema does not allow, by the row's index."""
    good = allowed_cells(values, schema)
    positions = {int(row): int(np.argmin(good[row])) for row in np.flatnonzero(~good.all(axis=1))}
    return {
        row: cell_fault(schema.columns[position], values[row, position], cell_at(row, position))
        for row, position in positions.items()
    }


def cell_fault(column: Column, value: float, cell: Any) -> str:
    return f"column {column.name!r}: {not_allowed(column, value, cell)}"


def not_allowed(column: Column, value: float, cell: Any) -> str:
    return f"{_shown(column, value, cell)} is not allowed; give {column.allowed}"


def _shown(column: Column, value: float, cell: Any) -> str:
    """The values of a row: numbers as they were read, anything else as it was given."""
    is_number = isinstance(cell, int | float | np.integer | np.floating) and not isinstance(cell, bool)
    if column.type in NUMERIC and (math.isfinite(value) or is_number):
        return repr(float(value))
    text = repr(cell)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]} …"


@dataclass
class Fault:
    """One rule of one column, and the rows of one file that break it."""

    column: Column
    rule: str
    rows: list[int] = field(default_factory=list)
    """The first ones, counted from 1."""
    cells: list[str] = field(default_factory=list)
    """The cells of the first rows, as the message shows them."""
    count: int = 0

    def sentence(self, total: int) -> str:
        shown = ", ".join(f"row {row} has {cell}" for row, cell in zip(self.rows, self.cells, strict=True))
        more = f" and {self.count - len(self.rows)} more" if self.count > len(self.rows) else ""
        return (
            f"column {self.column.name!r} breaks the rule {self.rule} in {self.count:,} of {total:,} rows: "
            f"{shown}{more}; give {self.column.allowed}"
        )


class Faults:
    """The faults of one file, block by block of its rows."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._found: dict[tuple[int, str], Fault] = {}
        self.row_count = 0

    def add(self, values: Values, cell_at: CellAt) -> bool:
        """Whether all cells of the next rows are allowed; `cell_at` counts these rows from 0."""
        good = allowed_cells(values, self._schema)
        for position in np.flatnonzero(~good.all(axis=0)).tolist():
            column = self._schema.columns[position]
            for row in np.flatnonzero(~good[:, position]).tolist():
                value = values[row, position]
                rule = broken_rule(column, value)
                fault = self._found.setdefault((position, rule), Fault(column, rule))
                if len(fault.rows) < _SHOWN_ROWS:
                    fault.rows.append(self.row_count + row + 1)
                    fault.cells.append(_shown(column, value, cell_at(row, position)))
                fault.count += 1
        self.row_count += len(values)
        return bool(good.all())

    def refuse(self) -> None:
        """SchemaError names the first faults, by column, then as they were met."""
        by_column = sorted(self._found.items(), key=lambda item: item[0][0])
        faults = [fault.sentence(self.row_count) for _, fault in by_column]
        if faults:
            hidden = len(faults) - _SHOWN_FAULTS
            more = f"; and {hidden} more rules are broken" if hidden > 0 else ""
            raise SchemaError("; ".join(faults[:_SHOWN_FAULTS]) + more)


def broken_rule(column: Column, value: float) -> str:
    """The rule, as model.yaml writes it, that an encoded value breaks."""
    if math.isnan(value):
        return "required"
    if column.is_category:
        return "enum"
    if column.is_text:
        return f"pattern {column.pattern}"
    if not math.isfinite(value):
        return f"format {column.format}" if column.type in DATES else f"type {column.type}"
    if column.minimum is not None and value < column.minimum:
        return f"minimum {column.limit_text(column.minimum)}"
    if column.maximum is not None and value > column.maximum:
        return f"maximum {column.limit_text(column.maximum)}"
    if column.type == "integer" and (not value.is_integer() or not column.lowest <= value <= column.highest):
        return f"type {column.type}"
    return "enum" if column.enum else f"type {column.type}"


def check_columns(given: Sequence[Any], schema: Schema) -> None:
    """SchemaError names the missing, the unexpected and the doubled, in time that grows with their number only."""
    if list(given) == schema.names:
        return
    expected, counts = set(schema.names), Counter(given)
    faults = {
        "missing": [name for name in schema.names if name not in counts],
        "not expected": [name for name in counts if name not in expected],
        "given twice": [name for name, count in counts.items() if count > 1],
    }
    texts = [f"{some(names)} {fault}" for fault, names in faults.items() if names]
    if texts:
        hint = _hint(faults["not expected"], schema)
        raise SchemaError(
            f"wrong columns: {'; '.join(texts)}. Allowed are exactly {some(schema.names)}{hint}"
        )


def _hint(unexpected: Sequence[Any], schema: Schema) -> str:
    if len(unexpected) == 1 and isinstance(unexpected[0], str):
        (name,) = unexpected
        if _PANDAS_INDEX.fullmatch(name):
            return ". A column without a name is the index that pandas writes: write with index=False"
        for delimiter in ";\t|,":
            if delimiter != schema.dialect.delimiter and set(schema.names) & set(name.split(delimiter)):
                return f". The file is separated by {delimiter!r}: give csv.delimiter in model.yaml"
    return ""
