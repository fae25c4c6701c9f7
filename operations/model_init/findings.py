"""Columns that a model should not learn from, each with the reason."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ml_code.spec.columns import is_pattern
from ml_code.table.columns import NUMERIC
from operations.model_init.column_types import TypedColumn, TypedTable
from operations.model_init.leaks import reveals_target
from operations.model_init.raw_table import shown

LEAST_CATEGORY_ROWS = 5
MOST_CATEGORIES = 200
LARGEST_NUMBER = 1e100
_MOSTLY_UNIQUE = 0.95
_OFTEN_DISTINCT = 0.2
_LEAST_COVERED = 0.5
_PANDAS_INDEX = re.compile(r"(Unnamed: \d+|index|level_\d+|__index_level_\d+__|)", re.IGNORECASE)
_IDENTIFIER = re.compile(r"(?i:(^|[\W_])(id|uuid|guid|key|nr|no|number|rowid))$|[a-z](Id|ID|Uuid|Key|Nr)$")


@dataclass(frozen=True)
class Categories:
    listed: tuple[str, ...]
    rare: int
    """Categories that are not listed, as too few rows have them."""


def is_beyond_arithmetic(column: TypedColumn) -> bool:
    is_number = column.column.type in NUMERIC
    return is_number and bool((np.abs(np.nan_to_num(column.values)) > LARGEST_NUMBER).any())


def categories(column: TypedColumn) -> Categories:
    counted = sorted(column.present, key=lambda each: -each[1])
    kept = [text for text, count in counted if count >= LEAST_CATEGORY_ROWS][:MOST_CATEGORIES]
    return Categories(tuple(sorted(kept)), len(counted) - len(kept))


def left_out(table: TypedTable, target: TypedColumn, *, has_classes: bool) -> dict[str, str]:
    """Names of columns, and the reason of each."""
    found: dict[str, str] = {}
    seen: dict[bytes, str] = {}
    for column in table.columns:
        if column is target:
            continue
        reason = _useless(column) or _copied(column, seen)
        if not reason and reveals_target(column, target, has_classes=has_classes):
            reason = "tells the target by itself: probably made of it, or known only afterwards"
        if reason:
            found[column.name] = reason
    return found


def _useless(column: TypedColumn) -> str:
    return next(_reasons(column), "")


def _reasons(column: TypedColumn) -> Iterator[str]:
    """Run the checks, first those that need no look at the rows."""
    present, row_count = column.present, len(column.raw.codes)
    if column.raw.type == "":
        yield column.remark
    if is_beyond_arithmetic(column):
        yield f"has numbers beyond {LARGEST_NUMBER:g}, whose squares cannot be computed with"
    if is_pattern(column.name):
        yield "its name would stand for several columns in model.yaml: rename it"
    if not present:
        yield "has no value in any row"
    else:
        others = row_count - max(column.missing_count, *(count for _, count in present))
        if not others:
            yield f"constant: {shown(present[0][0])!r} in every row"
        elif others < LEAST_CATEGORY_ROWS:
            yield f"constant, but for {others} rows"
    if _PANDAS_INDEX.fullmatch(column.name) and (not column.name or _counts_rows(column)):
        yield "the index that pandas writes: write the file with index=False"
    yield from _identifier_reasons(column, len(present), row_count)


def _identifier_reasons(column: TypedColumn, distinct: int, row_count: int) -> Iterator[str]:
    known = row_count - column.missing_count
    is_named = _IDENTIFIER.search(column.name) is not None
    if column.column.type == "integer":
        if distinct == known and (is_named or _counts_rows(column)):
            yield "an identifier: another number in every row"
        elif is_named and distinct > _OFTEN_DISTINCT * known:
            yield f"an identifier: {distinct:,} numbers in {known:,} rows. Rows of one belong in one part: see split"
    if column.column.type != "string" or column.raw.type == "":
        return
    if column.remark:
        yield column.remark
    if distinct > _MOSTLY_UNIQUE * known:
        yield "an identifier or free text: another value in nearly every row"
    kept = set(categories(column).listed)
    covered = sum(count for text, count in column.present if text in kept)
    if is_named and distinct > _OFTEN_DISTINCT * known:
        yield f"an identifier: {distinct:,} values in {known:,} rows. Rows of one belong in one part: see split"
    elif covered < _LEAST_COVERED * known:
        yield f"{distinct:,} different texts, most of them in fewer than {LEAST_CATEGORY_ROWS} rows"


def _counts_rows(column: TypedColumn) -> bool:
    """Whether the rows are numbered: 0, 1, 2 …, wherever it begins."""
    if column.column.type not in ("integer", "number") or len(column.raw.codes) < LEAST_CATEGORY_ROWS:
        return False
    return bool((np.diff(column.cells) == 1).all())


def _copied(column: TypedColumn, seen: dict[bytes, str]) -> str:
    """Find a copy of the target by its cells, written alike or not."""
    cells = column.cells
    if column.column.type == "string":  # each text by the row that has it first
        _, first, place = np.unique(cells, return_index=True, return_inverse=True)
        cells = np.where(np.isnan(cells), np.nan, first[place].astype(np.float64))
    other = seen.setdefault(column.column.type.encode() + cells.tobytes(), column.name)
    return "" if other == column.name else f"a copy of {other}"
