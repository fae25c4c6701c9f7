"""The train, validation and test parts: which rows are in which, and their files between the steps.

Parquet, so that text is read once and each column keeps its type.
"""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_code.spec import ModelSpec, Split
from ml_code.spec.columns import encoded_limit
from ml_code.spec.sections import ByColumn
from ml_code.table.columns import Schema, SchemaError
from ml_code.table.frames import encode

PARTS = ("train", "validation", "test")


def part_file(name: str) -> str:
    return f"{name}.parquet"


def read_part(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / part_file(name))


def split(frame: pd.DataFrame, spec: ModelSpec) -> dict[str, pd.DataFrame]:
    """Each part with the columns of the training schema.

    A row's part depends on what is in the row, or on its group, and on nothing else. So a row that tests one
    version trains no later one, however the data grow: versions can be compared on the same test part. And equal rows
    are never in two parts. By time this holds with `test_from`; by target, rows at the edge of a part may change it.
    """
    by = spec.split.by
    columns = spec.training_schema()
    if by == "target":
        place = _places_within_target(frame, spec)
    elif isinstance(by, ByColumn) and by.group:
        place = _places(frame, spec.file_schema().select([by.group]))
    elif isinstance(by, ByColumn) and by.time:
        place = _places_in_time(frame, spec.file_schema().select([by.time]), spec.split, by.test_from)
    else:
        place = _places(frame, columns)
    parts = _cut(frame[columns.names], place, spec.split)
    _refuse_empty(parts)
    if spec.is_classification:
        _refuse_missing_classes(frame, parts, spec)
    return parts


def _cut(frame: pd.DataFrame, place: NDArray[np.float64], fractions: Split) -> dict[str, pd.DataFrame]:
    """`place` is in [0, 1), and uniform."""
    in_train = place < fractions.train
    in_test = place >= fractions.train + fractions.validation
    return {"train": frame[in_train], "validation": frame[~in_train & ~in_test], "test": frame[in_test]}


def _places(frame: pd.DataFrame, schema: Schema) -> NDArray[np.float64]:
    """The place of each row, by the content of its columns: numbers as floats, because 3 and 3.0 are the same; categories by their text."""
    values = encode(frame[schema.names], schema)
    content: dict[str, Any] = {
        column.name: frame[column.name].astype(object) if column.type == "string" else values[:, position]
        for position, column in enumerate(schema.columns)
    }
    hashes = pd.util.hash_pandas_object(pd.DataFrame(content, index=frame.index), index=False)
    places: NDArray[np.float64] = hashes.to_numpy() / 2**64
    return places


def _places_within_target(frame: pd.DataFrame, spec: ModelSpec) -> NDArray[np.float64]:
    """The place of each row by content within its class, or tenth of a number: each has its share of each part, to a row."""
    place = _places(frame, spec.training_schema())
    target = frame[spec.target.name]
    strata: Any = target if spec.is_classification else pd.qcut(target, 10, duplicates="drop")
    ranks = pd.Series(place, index=frame.index).groupby(strata, observed=True).rank(method="dense")
    counts = ranks.groupby(strata, observed=True).transform("max")
    places: NDArray[np.float64] = ((ranks - 0.5) / counts).to_numpy(dtype=np.float64)
    return places


def _places_in_time(
    frame: pd.DataFrame, schema: Schema, fractions: Split, test_from: float | date | None
) -> NDArray[np.float64]:
    """The place of each row by the share of earlier rows: rows of one moment are in one part, and the parts follow in time.

    From `test_from` on, all rows are in the test part; those before share the other two.
    """
    (column,) = schema.columns
    moments = encode(frame[schema.names], schema)[:, 0]
    if np.isnan(moments).any():
        raise SchemaError(
            f"split.by.time names {column.name!r}, which is missing in {int(np.isnan(moments).sum()):,} rows"
        )
    limit = encoded_limit(test_from)
    in_test = np.zeros(len(moments), dtype=bool) if limit is None else moments >= limit
    earlier = np.sort(moments[~in_test])
    places = np.searchsorted(earlier, moments, side="left") / max(len(earlier), 1)
    return places if limit is None else np.where(in_test, 1.0, places * (1 - fractions.test))


def _refuse_empty(parts: dict[str, pd.DataFrame]) -> None:
    for name, part in parts.items():
        if part.empty:
            total = sum(map(len, parts.values()))
            raise SchemaError(f"the {name} part has none of the {total:,} rows; give more rows")


def _refuse_missing_classes(frame: pd.DataFrame, parts: dict[str, pd.DataFrame], spec: ModelSpec) -> None:
    target = spec.target.name
    known = frame[target].tolist()
    for name, part in parts.items():
        there = set(part[target].tolist())
        missing = [label for label in spec.classes if label not in there]
        if missing:
            raise SchemaError(
                f"the {name} part of {len(part)} rows has no row of {target} {missing[0]}, of which there are "
                f"{known.count(missing[0])} in all; give more rows of it"
            )
