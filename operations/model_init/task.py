"""The task that the target asks for; or the reason why it asks for none."""

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ml_code.spec.columns import is_pattern
from ml_code.table.columns import FALSE_VALUES, LARGEST_INTEGER, TRUE_VALUES
from operations.errors import OperationError
from operations.model_init.column_types import TypedColumn
from operations.model_init.findings import LARGEST_NUMBER, is_beyond_arithmetic
from operations.model_init.raw_table import RawTable, shown

LEAST_ROWS = 50
LEAST_CLASS_ROWS = 5
_MOST_MISSING = 0.2
# A whole number with more different values, or with fewer rows of each, is a quantity.
_MOST_NUMBER_CLASSES = 20
_MOST_CLASSES = 100
# The smallest class has less than this of an even share.
_IMBALANCE = 0.5
_FEW_ROWS_OF_A_CLASS = 100
_SHOWN_NAMES = 10


@dataclass(frozen=True, kw_only=True)
class Task:
    task: Literal["classification", "regression"]
    target: TypedColumn
    classes: tuple[int | str, ...] = ()
    """The classes as model.yaml lists them; none of a boolean target."""
    class_counts: tuple[int, ...] = ()
    """Rows of each class, of a boolean target false first."""

    @property
    def has_classes(self) -> bool:
        return self.task == "classification"

    @property
    def is_binary(self) -> bool:
        return len(self.class_counts) == 2

    @property
    def is_imbalanced(self) -> bool:
        counts = self.class_counts
        return bool(counts) and min(counts) < _IMBALANCE * sum(counts) / len(counts)

    @property
    def has_small_class(self) -> bool:
        return bool(self.class_counts) and min(self.class_counts) < _FEW_ROWS_OF_A_CLASS


def check_table(table: RawTable, target: str, path: Path) -> None:
    """Raise OperationError when the file has not what a model needs."""
    twice = [name for name in table.names if table.names.count(name) > 1]
    if twice:
        raise OperationError(
            f"{path} has the column {twice[0]!r} twice in its header; give each a name of its own"
        )
    if not target:
        raise OperationError(f"TARGET is missing; give the column to predict, one of {_some(table.names)}")
    if target not in table.names:
        close = difflib.get_close_matches(target, table.names, n=1)
        guess = f" (did you mean {close[0]!r}?)" if close else ""
        raise OperationError(f"{path} has no column {target!r}{guess}; TARGET is one of {_some(table.names)}")
    if is_pattern(target):
        raise OperationError(
            f"The target is called {target!r}, which would stand for several columns in model.yaml; rename it"
        )
    if len(table.names) == 1:
        raise OperationError(f"{path} has the column {target!r} only; give columns to predict it from, too")
    if table.row_count < LEAST_ROWS:
        count = f"{table.row_count} rows" if table.row_count != 1 else "1 row"
        raise OperationError(
            f"{path} has {count if table.row_count else 'a header and no rows'}; give {LEAST_ROWS} or more, of which a "
            f"fifth tests the model"
        )


def _some(names: list[str]) -> str:
    hidden = len(names) - _SHOWN_NAMES
    return ", ".join(map(shown, names[:_SHOWN_NAMES])) + (f" and {hidden} more" if hidden > 0 else "")


def task_of(target: TypedColumn) -> Task:
    """Raise OperationError when the target's values are none to learn."""
    name, kind = target.name, target.column.type
    _check_target(target)
    present = dict(target.present)
    if kind == "boolean":
        return _boolean_task(target, present)
    if kind == "string":
        if target.remark:
            raise OperationError(f"The target {name!r} is text: {target.remark}")
        # The rarer of two is the positive one, which comes second.
        order = sorted(present.items(), key=(lambda each: (-each[1], each[0])) if len(present) == 2 else None)
        return _classes_task(target, dict(order))
    whole = _whole_numbers(target)
    is_few = len(whole) == 2 or (
        2 < len(whole) <= _MOST_NUMBER_CLASSES and min(whole.values()) >= LEAST_CLASS_ROWS
    )
    if is_few:
        as_integer = replace(target, column=replace(target.column, type="integer"))
        return _classes_task(as_integer, whole)
    return Task(task="regression", target=target)


def _check_target(target: TypedColumn) -> None:
    name, row_count = target.name, len(target.raw.codes)
    if target.column.type in ("date", "datetime") or target.raw.type == "":
        kind = "nested or binary" if target.raw.type == "" else target.column.type
        raise OperationError(
            f"The target {name!r} is of type {kind}; allowed: a number, text, true and false"
        )
    if is_beyond_arithmetic(target):
        raise OperationError(
            f"The target {name!r} has numbers beyond {LARGEST_NUMBER:g}, whose squares cannot be computed with; scale it"
        )
    if target.missing_count > _MOST_MISSING * row_count:
        raise OperationError(
            f"The target {name!r} is missing in {target.missing_count:,} of {row_count:,} rows; allowed: "
            f"{_MOST_MISSING:.0%}. Fill it, or take these rows away"
        )
    if len(target.present) == 1:
        text = target.present[0][0]
        raise OperationError(
            f"The target {name!r} is {shown(text)!r} in every row that has one: there is nothing to predict; give "
            f"rows of other values"
        )


def _boolean_task(target: TypedColumn, present: dict[str, int]) -> Task:
    """The answers true and false where the file has these; else the file's words, the one for no first."""
    column = target.column
    if (column.true_values, column.false_values) != (TRUE_VALUES, FALSE_VALUES):
        words = (column.false_values, column.true_values)
        if all(len(each) == 1 for each in words):
            codes = np.array([float(code) for code in range(len(target.raw.texts))])
            as_text = replace(
                target,
                column=replace(column, type="string", true_values=TRUE_VALUES, false_values=FALSE_VALUES),
                values=np.where(np.isnan(target.values), np.nan, codes),
            )
            return _classes_task(as_text, {each[0]: present[each[0]] for each in words})
    counts = [
        sum(present.get(text, 0) for text in texts) for texts in (column.false_values, column.true_values)
    ]
    _check_classes(target, dict(zip(("false", "true"), counts, strict=True)))
    return Task(task="classification", target=target, class_counts=tuple(counts))


def _classes_task(target: TypedColumn, counts: dict[int, int] | dict[str, int]) -> Task:
    _check_classes(target, {str(label): count for label, count in counts.items()})
    return Task(
        task="classification", target=target, classes=tuple(counts), class_counts=tuple(counts.values())
    )


def _check_classes(target: TypedColumn, counts: dict[str, int]) -> None:
    label, count = min(counts.items(), key=lambda each: each[1])
    if len(counts) > _MOST_CLASSES:
        raise OperationError(
            f"The target {target.name!r} is text with {len(counts):,} different values; allowed: at most "
            f"{_MOST_CLASSES} classes, or numbers"
        )
    if count < LEAST_CLASS_ROWS:
        rows = "1 row" if count == 1 else f"{count} rows"
        raise OperationError(
            f"The class {shown(label)!r} of the target {target.name!r} has {rows}; give {LEAST_CLASS_ROWS} or more, "
            f"so that each part has one, or take its rows away"
        )


def _whole_numbers(target: TypedColumn) -> dict[int, int]:
    """Each value and its rows; none when one is no whole number."""
    counts: dict[int, int] = {}
    for value, count in zip(target.values.tolist(), target.raw.counts.tolist(), strict=True):
        if np.isnan(value) or not count:
            continue
        is_whole = float(value).is_integer() and abs(value) <= LARGEST_INTEGER
        if not is_whole or len(counts) > _MOST_NUMBER_CLASSES:
            return {}
        counts[int(value)] = counts.get(int(value), 0) + count
    return dict(sorted(counts.items()))
