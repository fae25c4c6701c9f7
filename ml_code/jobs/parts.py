"""The train, validation and test parts: which rows are in which, and their files between the steps.

Parquet, so that text is read once and each column keeps its type. A part may be several files: a shard each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ml_code.spec import ModelSpec, Split
from ml_code.spec.columns import encoded_limit
from ml_code.spec.sections import ByColumn
from ml_code.table.cells import Values
from ml_code.table.columns import Column, Schema, SchemaError
from ml_code.table.frames import encode

PARTS = ("train", "validation", "test")
BATCH_ROWS = 100_000
_MISSING = np.uint64(2**64 - 1)  # the hash of a missing category in pandas


def part_file(name: str, *shard: int) -> str:
    """`shard` is the number of the host that wrote it, and its number there; without, the part is this one file."""
    return "-".join([name, *(f"{number:05}" for number in shard)]) + ".parquet"


def part_files(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"{name}*.parquet"))


def read_part(folder: Path, name: str) -> pd.DataFrame:
    frames = [pd.read_parquet(path) for path in _some_files(folder, name)]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _some_files(folder: Path, name: str) -> list[Path]:
    files = part_files(folder, name)
    if not files:
        raise FileNotFoundError(f"no file of the {name} part in {folder}")
    return files


@dataclass(frozen=True)
class PartBlocks:
    """A part on disk: each iteration reads its rows in blocks of about `rows`, over the ends of files and row groups."""

    folder: Path
    name: str
    rows: int = BATCH_ROWS

    def __iter__(self) -> Iterator[pd.DataFrame]:
        gathered: list[pd.DataFrame] = []
        for frame in self._frames():
            gathered.append(frame)
            if sum(map(len, gathered)) >= self.rows:
                yield pd.concat(gathered, ignore_index=True)
                gathered = []
        if gathered:
            yield pd.concat(gathered, ignore_index=True)

    def _frames(self) -> Iterator[pd.DataFrame]:
        for path in _some_files(self.folder, self.name):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(self.rows):
                    yield batch.to_pandas()


def split(frame: pd.DataFrame, spec: ModelSpec) -> dict[str, pd.DataFrame]:
    """Each part with the columns of the training schema.

    A row's part depends on what is in the row, or on its group, and on nothing else. So a row that tests one
    version trains no later one, however the data grow: versions can be compared on the same test part. And equal rows
    are never in two parts. By time this holds with `test_from`; by target, rows at the edge of a part may change it.
    """
    schema = split_schema(spec)
    texts = {column.name: frame[column.name].tolist() for column in schema.columns if column.is_text}
    values = encode(frame[schema.names], schema)
    places = finish_places(
        first_places(values, texts, schema, spec), target_values(values, schema, spec), spec
    )
    columns = spec.training_schema().names
    parts = {name: frame[is_in][columns] for name, is_in in cut(places, spec.split).items()}
    counts = {
        name: {label: int((part[spec.target.name] == label).sum()) for label in spec.classes}
        for name, part in parts.items()
    }
    refuse_small_parts({name: len(part) for name, part in parts.items()}, counts, spec)
    return parts


def split_schema(spec: ModelSpec) -> Schema:
    """The columns that decide about a row's part."""
    by = spec.split.by
    if isinstance(by, ByColumn):
        return spec.file_schema().select([by.column])
    return spec.training_schema()


def needs_all_rows(spec: ModelSpec) -> bool:
    """Whether a row's part depends on other rows, too."""
    by = spec.split.by
    return by == "target" or (isinstance(by, ByColumn) and by.time is not None)


def first_places(
    values: Values, texts: Mapping[str, list[Any]], schema: Schema, spec: ModelSpec
) -> NDArray[np.float64]:
    """The facts of each row by itself: its place in [0, 1), uniform, by its content; or its time.

    Numbers count as floats, because 3 and 3.0 are the same, and categories by their text.
    """
    by = spec.split.by
    if isinstance(by, ByColumn) and by.time:
        return values[:, 0].copy()
    hashes = [_hashes(values[:, position], column, texts) for position, column in enumerate(schema.columns)]
    places: NDArray[np.float64] = _combined(hashes) / 2**64
    return places


def _hashes(cells: Values, column: Column, texts: Mapping[str, list[Any]]) -> NDArray[np.uint64]:
    if not column.is_category:
        given: Any = np.array(texts[column.name], dtype=object) if column.is_text else cells
        return np.asarray(pd.util.hash_array(given), dtype=np.uint64)
    of_texts = pd.util.hash_array(np.array(column.enum, dtype=object), categorize=False)
    # The last one is that of missing and of unknown ones.
    codes = np.fmin(cells, len(column.enum)).astype(np.intp)
    return np.append(of_texts, _MISSING)[codes]


def _combined(hashes: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """The hash of each row, as pandas' hash_pandas_object combines those of its columns, which takes twice as long."""
    found = np.full(len(hashes[0]), 0x345678, dtype=np.uint64)
    factor = 1000003
    for position, each in enumerate(hashes):
        found ^= each
        found *= np.uint64(factor)
        factor = (factor + 82520 + 2 * (len(hashes) - position)) % 2**64
    found += np.uint64(97531)
    return found


def target_values(values: Values, schema: Schema, spec: ModelSpec) -> NDArray[np.float64] | None:
    """The target of each row, for a split within it."""
    return values[:, schema.names.index(spec.target.name)].copy() if spec.split.by == "target" else None


def finish_places(
    places: NDArray[np.float64], targets: NDArray[np.float64] | None, spec: ModelSpec
) -> NDArray[np.float64]:
    """The places of all rows, in [0, 1)."""
    by = spec.split.by
    if targets is not None:
        return _places_within_target(places, targets, spec)
    if isinstance(by, ByColumn) and by.time:
        return _places_in_time(places, by, spec.split)
    return places


def cut(places: NDArray[np.float64], fractions: Split) -> dict[str, NDArray[np.bool_]]:
    """The rows that are in each part."""
    in_train = places < fractions.train
    in_test = places >= fractions.train + fractions.validation
    return {"train": in_train, "validation": ~in_train & ~in_test, "test": in_test}


def _places_within_target(
    places: NDArray[np.float64], targets: NDArray[np.float64], spec: ModelSpec
) -> NDArray[np.float64]:
    """The place of each row by content within its class, or tenth of a number: each has its share of each part, to a row."""
    strata: Any = targets if spec.is_classification else pd.qcut(targets, 10, labels=False, duplicates="drop")
    ranks = pd.Series(places).groupby(strata).rank(method="dense")
    counts = ranks.groupby(strata).transform("max")
    found: NDArray[np.float64] = ((ranks - 0.5) / counts).to_numpy(dtype=np.float64)
    return found


def _places_in_time(moments: NDArray[np.float64], by: ByColumn, fractions: Split) -> NDArray[np.float64]:
    """The place of each row by the share of earlier rows: rows of one moment are in one part, and the parts follow in time.

    From `test_from` on, all rows are in the test part; those before share the other two.
    """
    if np.isnan(moments).any():
        raise SchemaError(
            f"split.by.time names {by.time!r}, which is missing in {int(np.isnan(moments).sum()):,} rows"
        )
    limit = encoded_limit(by.test_from)
    in_test = np.zeros(len(moments), dtype=bool) if limit is None else moments >= limit
    earlier = np.sort(moments[~in_test])
    places = np.searchsorted(earlier, moments, side="left") / max(len(earlier), 1)
    return places if limit is None else np.where(in_test, 1.0, places * (1 - fractions.test))


def refuse_small_parts(
    rows: Mapping[str, int], labels: Mapping[str, Mapping[Any, int]], spec: ModelSpec
) -> None:
    """`rows` and `labels` are counted in each part; SchemaError names a part without rows, or without a class."""
    for name, count in rows.items():
        if not count:
            raise SchemaError(f"the {name} part has none of the {sum(rows.values()):,} rows; give more rows")
    for name, counts in labels.items():
        missing = [label for label in spec.classes if not counts[label]]
        if missing:
            total = sum(each[missing[0]] for each in labels.values())
            raise SchemaError(
                f"the {name} part of {rows[name]} rows has no row of {spec.target.name} {missing[0]}, of which there "
                f"are {total} in all; give more rows of it"
            )
