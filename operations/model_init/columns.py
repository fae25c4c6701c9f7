"""Columns as model.yaml describes them, with a remark each."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml_code.table.columns import DATES, DEFAULT_FORMAT, NUMERIC, TRUE_VALUES
from operations.model_init.column_types import TypedColumn
from operations.model_init.dates import is_day_or_month_unclear
from operations.model_init.findings import categories
from operations.model_init.task import Task

_SHOWN_CATEGORIES = 3
# Of a number that is never negative, and of others on both sides: as much again as its range.
_ROOM = 1.0


@dataclass(frozen=True, kw_only=True)
class Described:
    fields: dict[str, Any]
    """The fields of the column in model.yaml."""
    summary: str
    """The values, for a table."""
    remark: str = ""


def describe_feature(column: TypedColumn) -> Described:
    constraints: dict[str, Any] = {} if column.missing_count else {"required": True}
    summary, remark = "", ""
    kind = column.column.type
    if kind in NUMERIC:
        constraints |= _limits(column)
        summary = _range(column)
    elif kind == "string":
        found = categories(column)
        constraints["enum"] = list(found.listed)
        summary = f"{len(found.listed)} categories"
        if found.rare:
            remark = f"{found.rare:,} rare categories, not listed, count as unknown"
    elif kind in DATES:
        texts = [text for text, _ in column.present]
        summary = _example(column)
        if is_day_or_month_unclear(texts, column.column.format):
            remark = f"day and month could be the other way round: {column.column.format} is a guess"
    else:
        summary = " / ".join(text for text, _ in column.present[:_SHOWN_CATEGORIES])
    return Described(fields=_fields(column, constraints), summary=summary, remark=remark)


def describe_target(task: Task) -> Described:
    column = task.target
    constraints: dict[str, Any] = {"required": True}
    if task.classes:
        constraints["enum"] = list(task.classes)
    summary = f"{len(task.class_counts)} classes" if task.has_classes else _range(column)
    return Described(fields=_fields(column, constraints), summary=summary)


def _fields(column: TypedColumn, constraints: dict[str, Any]) -> dict[str, Any]:
    found = column.column
    fields: dict[str, Any] = {"name": found.name, "type": found.type}
    if found.format != DEFAULT_FORMAT:
        fields["format"] = found.format
    if found.true_values != TRUE_VALUES:
        fields |= {"trueValues": list(found.true_values), "falseValues": list(found.false_values)}
    return {**fields, "constraints": constraints} if constraints else fields


def _limits(column: TypedColumn) -> dict[str, float]:
    """The limits with room for values that the file lacks; a request beyond them is refused, so a wrong unit is noticed."""
    low, high = float(np.nanmin(column.values)), float(np.nanmax(column.values))
    room = _ROOM * (high - low)
    least = 0.0 if low >= 0 else _rounded(low - room, math.floor)
    limits = {"minimum": least, "maximum": _rounded(high + room, math.ceil)}
    if column.column.type == "integer":
        return {name: int(limit) for name, limit in limits.items() if abs(limit) < 2**53}
    return {
        name: int(limit) if limit.is_integer() and abs(limit) < 1e15 else limit
        for name, limit in limits.items()
    }


def _rounded(number: float, direction: Any) -> float:
    """The number to two digits, rounded away from the column's values."""
    if number == 0:
        return 0.0
    exponent = math.floor(math.log10(abs(number))) - 1
    digits = direction(number / 10.0**exponent)
    return float(f"{digits}e{exponent}")


def _range(column: TypedColumn) -> str:
    return f"{np.nanmin(column.values):.6g} to {np.nanmax(column.values):.6g}"


def _example(column: TypedColumn) -> str:
    low, high = int(np.nanargmin(column.values)), int(np.nanargmax(column.values))
    return f"{column.raw.texts[low]} to {column.raw.texts[high]}"
