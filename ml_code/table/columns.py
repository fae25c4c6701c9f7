"""Columns and their constraints, in the words of the Table Schema standard (Frictionless).

A column is encoded as float64: a number as it is; a boolean as 0 or 1; a category by its place in `enum`, one that is not
there by `len(enum)`; a date by its seconds since 1970. NaN is a missing value, an infinite number is no value of the type.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMERIC = ("number", "integer")
DATES = ("date", "datetime")
TRUE_VALUES = ("true", "True", "TRUE", "1")
FALSE_VALUES = ("false", "False", "FALSE", "0")
DEFAULT_FORMAT = "default"
# float64 has every whole number up to here; beyond, two numbers may be one.
LARGEST_INTEGER = 2.0**53 - 1
_LARGEST_NUMBER = float(np.finfo(np.float64).max)
_SHOWN_CATEGORIES = 8
_EXAMPLE = datetime(2026, 1, 31, 23, 59, 58, tzinfo=UTC)


class SchemaError(ValueError):
    """Data that the schema does not allow; the message is one sentence for the sender."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column's name, type and rules. `minimum` and `maximum` are inclusive; those of dates are encoded."""

    name: str
    type: str = "number"
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    enum: tuple[Any, ...] = ()
    format: str = DEFAULT_FORMAT
    true_values: tuple[str, ...] = TRUE_VALUES
    false_values: tuple[str, ...] = FALSE_VALUES
    unique: bool = False
    pattern: str = ""

    @property
    def is_category(self) -> bool:
        return self.type == "string" and bool(self.enum)

    @property
    def is_text(self) -> bool:
        """Text of any kind: only whether it is missing, and allowed, is encoded."""
        return self.type == "string" and not self.enum

    @property
    def allowed(self) -> str:
        if self.type == "boolean":
            return f"one of {', '.join((*self.true_values, *self.false_values))}"
        if self.type == "string" and self.pattern:
            return f"text like {self.pattern}"
        if self.enum:
            shown = ", ".join(map(str, self.enum[:_SHOWN_CATEGORIES]))
            hidden = len(self.enum) - _SHOWN_CATEGORIES
            return f"one of {shown}{f' and {hidden} more' if hidden > 0 else ''}"
        return f"{self._kind}{self._range}"

    @property
    def _kind(self) -> str:
        if self.type in DATES:
            kind = "a date" if self.type == "date" else "a date and time"
            return f"{kind} like {format_date(self, _EXAMPLE.timestamp())}"
        return {"number": "a number", "integer": "a whole number"}.get(self.type, "text")

    @property
    def _range(self) -> str:
        low, high = (
            None if limit is None else self.limit_text(limit) for limit in (self.minimum, self.maximum)
        )
        if low is not None and high is not None:
            return f" from {low} to {high}"
        if low is not None:
            return f" of at least {low}"
        return f" of at most {high}" if high is not None else ""

    def limit_text(self, limit: float) -> str:
        return format_date(self, limit) if self.type in DATES else f"{limit:g}"

    @property
    def lowest(self) -> float:
        """The lowest of the allowed encoded values, without those of `enum` in a numeric column."""
        if self.minimum is not None:
            return self.minimum
        return {"string": 0.0, "boolean": 0.0, "integer": -LARGEST_INTEGER}.get(self.type, -_LARGEST_NUMBER)

    @property
    def highest(self) -> float:
        if self.maximum is not None:
            return self.maximum
        limits = {"boolean": 1.0, "string": max(len(self.enum) - 1.0, 0.0), "integer": LARGEST_INTEGER}
        return limits.get(self.type, _LARGEST_NUMBER)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The dialect of a CSV file, in the words of the CSV Dialect standard."""

    delimiter: str = ","
    decimal_char: str = "."
    group_char: str = ""
    encoding: str = "utf-8"
    header: bool = True


@dataclass(frozen=True)
class Schema:
    columns: tuple[Column, ...]
    missing_values: tuple[str, ...] = ("",)
    unknown_categories: bool = False
    """Whether categories outside `enum` are allowed; a model takes them for missing values."""
    dialect: Dialect = field(default_factory=Dialect)

    @cached_property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @cached_property
    def has_numbers_only(self) -> bool:
        return all(column.type in NUMERIC for column in self.columns)

    @cached_property
    def sorted_names(self) -> list[str]:
        return sorted(self.names)

    @cached_property
    def unknown_text(self) -> str:
        """The text of every category outside `enum` in tables and files: it is in no `enum`, and no missing value."""
        taken = {*self.missing_values, *(text for column in self.columns for text in column.enum)}
        text = "(unknown)"
        while text in taken:
            text = f"({text})"
        return text

    @cached_property
    def lower(self) -> NDArray[np.float64]:
        return np.array([column.lowest for column in self.columns])

    @cached_property
    def upper(self) -> NDArray[np.float64]:
        extra = [self.unknown_categories and column.is_category for column in self.columns]
        highest = [column.highest for column in self.columns]
        return np.array([limit + more for limit, more in zip(highest, extra, strict=True)])

    @cached_property
    def optional(self) -> NDArray[np.bool_]:
        return np.array([not column.required for column in self.columns])

    @cached_property
    def has_optional(self) -> bool:
        return bool(self.optional.any())

    @cached_property
    def integer_positions(self) -> list[int]:
        return [position for position, column in enumerate(self.columns) if column.type == "integer"]

    @cached_property
    def number_enums(self) -> list[tuple[int, NDArray[np.float64]]]:
        return [
            (position, np.array(column.enum, dtype=np.float64))
            for position, column in enumerate(self.columns)
            if column.enum and column.type in NUMERIC
        ]

    def select(self, names: Sequence[str]) -> "Schema":
        by_name = {column.name: column for column in self.columns}
        return Schema(
            tuple(by_name[name] for name in names), self.missing_values, self.unknown_categories, self.dialect
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any] | list[dict[str, Any]]) -> "Schema":
        if isinstance(document, list):  # of versions before Table Schema: each column was required
            return cls(tuple(Column(**column, required=True) for column in document))
        columns = tuple(Column(**_with_tuples(column)) for column in document["columns"])
        return cls(
            columns,
            tuple(document["missing_values"]),
            document["unknown_categories"],
            Dialect(**document["dialect"]),
        )


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def format_date(column: Column, seconds: float) -> str:
    """The encoded date as a cell has it."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    if column.format != DEFAULT_FORMAT:
        return moment.strftime(column.format)
    return moment.date().isoformat() if column.type == "date" else moment.isoformat()
