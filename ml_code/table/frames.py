"""Data frames with real types: to encoded values, as models take them, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ml_code.table.cells import AFTER_LAST_SECOND, FIRST_SECOND, Reader, Values, readers
from ml_code.table.columns import Column, Schema

MICROSECONDS = 1_000_000  # of a second
_A_SECOND = {"s": 1, "ms": 1_000, "us": MICROSECONDS}


def encode(frame: pd.DataFrame, schema: Schema) -> Values:
    """A column for each of the schema's, unchecked."""
    values = np.empty((len(frame), len(schema.columns)))
    for position, (column, reader) in enumerate(zip(schema.columns, readers(schema), strict=True)):
        values[:, position] = _encode(frame[column.name], column, reader)
    return values


def _encode(series: "pd.Series[Any]", column: Column, reader: Reader) -> Values:
    kind = series.dtype
    if column.type in ("date", "datetime") and pd.api.types.is_datetime64_any_dtype(kind):
        utc = series.dt.tz_convert("UTC").dt.tz_localize(None) if series.dt.tz is not None else series
        counts = utc.astype("datetime64[us]") if utc.dtype == "datetime64[ns]" else utc
        seconds: Values = counts.astype("int64").to_numpy() / _A_SECOND[np.datetime_data(counts.dtype)[0]]
        seconds[counts.isna().to_numpy()] = np.nan
        seconds[(seconds < FIRST_SECOND) | (seconds >= AFTER_LAST_SECOND)] = np.inf
        return seconds
    if pd.api.types.is_bool_dtype(kind) and not isinstance(kind, pd.CategoricalDtype):
        is_right = column.type == "boolean"
        booleans = series.astype("boolean").astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)
        return booleans if is_right else np.where(np.isnan(booleans), np.nan, np.inf)
    if pd.api.types.is_numeric_dtype(kind):
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
        is_right = column.type in ("number", "integer")
        return numbers if is_right else np.where(np.isnan(numbers), np.nan, np.inf)
    if isinstance(kind, pd.CategoricalDtype):  # each category is read once
        codes = np.append(reader.values(kind.categories.tolist()), np.nan)
        found: Values = codes[series.cat.codes.to_numpy()]
        return found
    cells = series.astype(object).where(series.notna(), None).tolist()
    return reader.values(cells)


def decode(
    values: Values,
    schema: Schema,
    texts: Mapping[str, Sequence[Any]] | None = None,
    gaps: frozenset[str] = frozenset(),
) -> pd.DataFrame:
    """`texts` are the columns of free text, which have no encoding.

    A type that has no gaps in pandas becomes one that has where a cell is missing, and in the columns `gaps` in any case.
    """
    given = texts or {}
    columns = {
        column.name: pd.Series(given[column.name], dtype=object)
        if column.name in given
        else _decode(values[:, position], column, schema, has_gaps=column.name in gaps)
        for position, column in enumerate(schema.columns)
    }
    return pd.DataFrame(columns, copy=False)


def _decode(values: Values, column: Column, schema: Schema, *, has_gaps: bool) -> Any:
    is_missing = np.isnan(values)
    has_gaps = has_gaps or bool(is_missing.any())
    if column.type == "number":
        return values.copy()
    if column.type == "integer":
        if not has_gaps:
            return values.astype(np.int64)
        return pd.arrays.IntegerArray(np.where(is_missing, 0, values).astype(np.int64), is_missing)
    if column.type == "boolean":
        whether = np.where(is_missing, 0, values).astype(bool)
        return pd.arrays.BooleanArray(whether, is_missing) if has_gaps else whether
    if column.type in ("date", "datetime"):
        counts = np.round(np.where(is_missing, 0, values) * MICROSECONDS).astype("int64")
        moments = counts.astype("datetime64[us]")
        moments[is_missing] = np.datetime64("NaT")
        return moments
    categories = [*column.enum, *([schema.unknown_text] if schema.unknown_categories else [])]
    return pd.Categorical.from_codes(np.where(is_missing, -1, values).astype(np.int64), categories=categories)
