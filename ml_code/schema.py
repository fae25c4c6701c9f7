"""Which rows a model takes: one check for training data and for requests."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_NUMBER_KINDS = ("integer", "floating", "mixed-integer-float")
_SHOWN_NAMES = 5


class SchemaError(ValueError):
    """Data that the schema does not allow, in one sentence for the sender."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One numeric column; `type` is "number" or "integer", the limits are inclusive."""

    name: str
    type: str = "number"
    minimum: float | None = None
    maximum: float | None = None

    @property
    def allowed(self) -> str:
        kind = "a whole number" if self.type == "integer" else "a number"
        if self.minimum is not None and self.maximum is not None:
            return f"{kind} from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"{kind} of at least {self.minimum:g}"
        if self.maximum is not None:
            return f"{kind} of at most {self.maximum:g}"
        return kind


@dataclass(frozen=True)
class Schema:
    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @cached_property
    def sorted_names(self) -> list[str]:
        return sorted(self.names)

    @cached_property
    def lower(self) -> npt.NDArray[np.float64]:
        return np.array([-np.inf if c.minimum is None else c.minimum for c in self.columns])

    @cached_property
    def upper(self) -> npt.NDArray[np.float64]:
        return np.array([np.inf if c.maximum is None else c.maximum for c in self.columns])

    @cached_property
    def integer_positions(self) -> list[int]:
        return [position for position, column in enumerate(self.columns) if column.type == "integer"]

    def to_dict(self) -> list[dict[str, Any]]:
        return [asdict(column) for column in self.columns]

    @classmethod
    def from_dict(cls, columns: Iterable[dict[str, Any]]) -> "Schema":
        return cls(tuple(Column(**column) for column in columns))


def check_frame(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The same rows as numbers, columns in the schema's order; SchemaError names the first fault.

    Rows are counted from 1. Whole-number columns come back as int64, the others as float64.
    """
    check_columns(list(frame.columns), schema)
    if len(frame) == 0:
        raise SchemaError("there are no rows; send at least one")
    values = frame[schema.names].to_numpy()
    if values.dtype.kind not in "iuf":
        _check_cells_are_numbers(frame, schema)
        values = _as_floats(values)
    values = values.astype(np.float64, copy=False)
    check_values(values, schema)
    checked = pd.DataFrame(values, columns=schema.names)
    if schema.integer_positions:
        checked = checked.astype({schema.names[position]: "int64" for position in schema.integer_positions})
    return checked


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
    texts = [f"{_some(names)} {fault}" for fault, names in faults.items() if names]
    if texts:
        raise SchemaError(f"wrong columns: {'; '.join(texts)}. Allowed are exactly {_some(schema.names)}")


def _some(names: Sequence[Any]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES])
    hidden = len(names) - _SHOWN_NAMES
    return f"{shown} and {hidden} more" if hidden > 0 else shown


def _check_cells_are_numbers(frame: pd.DataFrame, schema: Schema) -> None:
    """Refuse text, true and false: pandas would turn "3" and True into numbers without a word."""
    for column in schema.columns:
        cells = frame[column.name]
        if cells.dtype.kind in "iuf" or pd.api.types.infer_dtype(cells, skipna=True) in _NUMBER_KINDS:
            continue
        rows = [row for row, cell in enumerate(cells, start=1) if not _is_number(cell)]
        if rows:
            # One word in a CSV column makes all its cells text: name the word.
            row = next((row for row in rows if not _reads_as_number(cells.iloc[row - 1])), rows[0])
            raise SchemaError(_fault(column, row, cells.iloc[row - 1]))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float | np.integer | np.floating) and not isinstance(cell, bool)


def _reads_as_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _as_floats(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    try:
        return values.astype(np.float64)
    except OverflowError:  # an integer of more than 300 digits: out of every range
        return np.array([[_as_float(cell) for cell in row] for row in values])


def _as_float(cell: Any) -> float:
    try:
        return float(cell)
    except OverflowError:
        return np.inf if cell > 0 else -np.inf


def check_values(values: npt.NDArray[np.float64], schema: Schema) -> None:
    """SchemaError names the first cell that is not allowed; columns are in the schema's order."""
    good = _allowed_cells(values, schema)
    if good.all():
        return
    row, position = np.argwhere(~good)[0]
    raise SchemaError(_fault(schema.columns[position], row + 1, values[row, position].item()))


def find_bad_rows(values: npt.NDArray[np.float64], schema: Schema) -> dict[int, str]:
    """What is wrong with each row that the schema does not allow, by the row's index."""
    good = _allowed_cells(values, schema)
    positions = {int(row): int(np.argmin(good[row])) for row in np.flatnonzero(~good.all(axis=1))}
    return {
        row: cell_fault(schema.columns[position], values[row, position].item())
        for row, position in positions.items()
    }


def _allowed_cells(values: npt.NDArray[np.float64], schema: Schema) -> npt.NDArray[np.bool_]:
    good: npt.NDArray[np.bool_] = (values >= schema.lower) & (values <= schema.upper) & np.isfinite(values)
    if schema.integer_positions:
        good[:, schema.integer_positions] &= values[:, schema.integer_positions] % 1 == 0
    return good


def cell_fault(column: Column, value: Any) -> str:
    return f"column {column.name!r}: {_not_allowed(column, value)}"


def _fault(column: Column, row: int, value: Any) -> str:
    return f"column {column.name!r}, row {row}: {_not_allowed(column, value)}"


def _not_allowed(column: Column, value: Any) -> str:
    return f"{value!r} is not allowed; give {column.allowed}"
