"""The input of an estimator, made of a table's encoded values.

Two kinds of estimators: those that take gaps and categories as they are, and those for which gaps are filled and categories
become a column each.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from ml_code.table.cells import Values
from ml_code.table.columns import DATES, Schema

_SECONDS_A_DAY = 86_400


class TableFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Dates as numbers that a model can learn from; categories that it does not know as missing values.

    A date becomes its day since 1970, month and weekday, and with a time the hour. The columns that it makes come last.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def fit(self, values: Values, target: Any = None) -> Self:
        del values, target
        columns = self.schema.columns
        self.dates_ = [place for place, column in enumerate(columns) if column.type in DATES]
        self.kept_ = [place for place in range(len(columns)) if place not in self.dates_]
        self.timed_ = [columns[place].type == "datetime" for place in self.dates_]
        self.categories_ = [
            (self.kept_.index(place), len(column.enum))
            for place, column in enumerate(columns)
            if column.is_category
        ]
        return self

    def transform(self, values: Values) -> Values:
        made = [values[:, self.kept_]]
        for place, count in self.categories_:
            codes = made[0][:, place]
            made[0][:, place] = np.where(codes >= count, np.nan, codes)
        for place, has_time in zip(self.dates_, self.timed_, strict=True):
            made.append(_date_numbers(values[:, place], has_time=has_time))
        return made[0] if len(made) == 1 else np.hstack(made)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "kept_")


def _date_numbers(seconds: Values, *, has_time: bool) -> Values:
    is_missing = np.isnan(seconds)
    known = np.where(is_missing, 0, seconds)
    days = np.floor(known / _SECONDS_A_DAY)
    months = days.astype(np.int64).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    numbers = [
        known / _SECONDS_A_DAY,
        months,
        (days + 3) % 7,
    ]  # the first of 1970 was a Thursday, 0 is Monday
    if has_time:
        numbers.append((known - days * _SECONDS_A_DAY) // 3600)
    table = np.column_stack(numbers).astype(np.float64)
    table[is_missing] = np.nan
    return table


def needs_features(schema: Schema) -> bool:
    return any(column.type in DATES or column.is_category for column in schema.columns)


def category_places(schema: Schema) -> list[tuple[int, int]]:
    """Place, behind `TableFeatures`, and number of categories."""
    return (
        TableFeatures(schema).fit(np.empty((0, len(schema.columns)))).categories_
        if needs_features(schema)
        else []
    )


def prepared_width(schema: Schema) -> int:
    """The number of columns behind `TableFeatures`."""
    return int(TableFeatures(schema).fit_transform(np.zeros((1, len(schema.columns)))).shape[1])


def preparation(schema: Schema, scaler: Any, *, is_native: bool) -> list[tuple[str, Any]]:
    """The steps before the estimator, unfitted. `is_native`: the estimator takes gaps and categories as they are."""
    steps: list[tuple[str, Any]] = [("features", TableFeatures(schema))] if needs_features(schema) else []
    if is_native:
        return [*steps, ("scaler", scaler)] if scaler is not None else steps
    numbers: list[tuple[str, Any]] = []
    if schema.has_optional:
        numbers.append(
            ("imputer", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True))
        )
    if scaler is not None:
        numbers.append(("scaler", scaler))
    categories = category_places(schema)
    if not categories:
        return steps + numbers
    return [*steps, ("columns", _columns(schema, numbers, categories))]


def _columns(
    schema: Schema, numbers: Sequence[tuple[str, Any]], categories: Sequence[tuple[int, int]]
) -> ColumnTransformer:
    places = [place for place, _ in categories]
    encoder = OneHotEncoder(
        categories=[np.arange(count, dtype=np.float64) for _, count in categories],
        handle_unknown="ignore",
        sparse_output=False,
    )
    others = [place for place in range(prepared_width(schema)) if place not in places]
    parts: list[tuple[str, Any, list[int]]] = [("categories", encoder, places)]
    if others:
        parts.insert(0, ("numbers", Pipeline(list(numbers)) if numbers else "passthrough", others))
    return ColumnTransformer(parts)
