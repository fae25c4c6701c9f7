"""The rows that come into git with the model, to train the first version."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from ml_code.raw_files import GZIP
from operations.model_init.parquet_files import read_arrow
from operations.model_init.raw_table import Codes, RawTable
from operations.model_init.task import Task

MOST_BYTES = 1_000_000
MOST_ROWS = 10_000
_LEAST_ROWS_OF_A_CLASS = 20


@dataclass(frozen=True, eq=False)
class Sample:
    file_name: str
    body: bytes
    places: Codes
    """The places of its rows in the table."""
    is_whole_file: bool


def take_sample(path: Path, table: RawTable, task: Task, seed: int) -> Sample:
    """The file itself when it is small; else rows of each class in their share, at least a few of each."""
    name = f"rows.{table.format}"
    known = np.flatnonzero(~np.isnan(task.target.cells))
    body = path.read_bytes()
    is_small = len(body) <= MOST_BYTES and table.row_count <= MOST_ROWS and not body.startswith(GZIP)
    if is_small and len(known) == table.row_count:
        return Sample(name, body, known, is_whole_file=True)
    bytes_a_row = max(1.0, len(body) / table.row_count)
    count = max(1, min(MOST_ROWS, int(MOST_BYTES / bytes_a_row)))
    places = known if count >= len(known) else _choose(known, task, count, seed)
    write = _parquet_body if table.format == "parquet" else _csv_body
    return Sample(name, write(path, table, places), places, is_whole_file=False)


def _choose(known: Codes, task: Task, count: int, seed: int) -> Codes:
    random = np.random.default_rng(seed)
    if not task.has_classes:
        return np.sort(random.choice(known, count, replace=False))
    labels = task.target.cells[known]
    chosen = []
    for label in np.unique(labels):
        rows = known[labels == label]
        share = max(round(count * len(rows) / len(known)), _LEAST_ROWS_OF_A_CLASS)
        chosen.append(random.choice(rows, min(share, len(rows)), replace=False))
    return np.sort(np.concatenate(chosen))


def _csv_body(_path: Path, table: RawTable, places: Codes) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=table.dialect.delimiter, lineterminator="\n")
    writer.writerow(table.names)
    writer.writerows(
        zip(*([column.texts[code] for code in column.codes[places]] for column in table.columns), strict=True)
    )
    return text.getvalue().encode(table.dialect.encoding)


def _parquet_body(path: Path, _table: RawTable, places: Codes) -> bytes:
    body = io.BytesIO()
    pq.write_table(read_arrow(path).take(places), body)
    return body.getvalue()
