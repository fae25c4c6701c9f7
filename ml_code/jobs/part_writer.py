"""The files of the parts, as Parquet."""

import base64
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ml_code.jobs.parts import PARTS, cut, part_file
from ml_code.spec import ModelSpec
from ml_code.table.arrow import ArrowRows, arrow_schema
from ml_code.table.cells import Values

GROUP_BYTES = 1 << 24  # of rows that are written at a time: fewer take longer
# Each batch takes memory besides that of its rows, some hundred bytes a column.
MOST_BATCHES = 64
# By part, a batch for each turn: with three files, every third row from the first, the second and the third on. None has no rows.
PartRows = Mapping[str, list[pa.RecordBatch | None]]


class PartWriters:
    """All parts of one host."""

    def __init__(self, spec: ModelSpec, folder: Path, *, shard_count: int, host: int | None) -> None:
        """`shard_count` is the number of files of the train part; `host` is the host's number, None of a single one."""
        self._spec = spec
        self._rows = ArrowRows(spec.training_schema())
        self._writers = {
            part: _PartWriter(
                spec, folder / part, part, file_count=shard_count if part == "train" else 1, host=host
            )
            for part in PARTS
        }

    def part_rows(self, values: Values, places: NDArray[np.float64]) -> PartRows:
        """The rows of a block by their part, in as many turns as the part has files.

        The first columns of `values`, which are encoded, are those of the training schema.
        """
        columns = values[:, : len(self._rows.schema)].T
        return {
            part: [
                self._rows.batch(columns, own) if len(own) else None
                for own in _in_turns(np.flatnonzero(is_in), self._writers[part].file_count)
            ]
            for part, is_in in cut(places, self._spec.split).items()
        }

    def add(self, rows: PartRows) -> None:
        for part, batches in rows.items():
            self._writers[part].add(batches)

    def finish(self, gaps: frozenset[str]) -> None:
        """Write the rows that are left, and end the files; `gaps` are the columns with missing cells in any file of any host."""
        schema = arrow_schema(self._spec.training_schema(), gaps)
        for writer in self._writers.values():
            writer.finish(schema)

    def close(self) -> None:
        """Let go of files that are not finished, after a failure, which is raised elsewhere."""
        for writer in self._writers.values():
            writer.close()

    @property
    def rows(self) -> dict[str, int]:
        return {part: writer.row_count for part, writer in self._writers.items()}

    @property
    def labels(self) -> dict[str, Counter[Any]]:
        """Rows of each label in each part, of a classification."""
        return {part: writer.labels for part, writer in self._writers.items()}


def _in_turns(rows: NDArray[np.intp], count: int) -> list[NDArray[np.intp]]:
    return [rows[turn::count] for turn in range(count)]


class _Gathered:
    """Rows that wait until they are worth a write."""

    def __init__(self) -> None:
        self.batches: list[pa.RecordBatch] = []
        self.row_count = 0
        self._small_count = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.batches.append(batch)
        self.row_count += len(batch)
        self._small_count += 1
        if self._small_count == MOST_BATCHES:
            small = pa.Table.from_batches(self.batches[-MOST_BATCHES:])
            self.batches[-MOST_BATCHES:] = small.combine_chunks().to_batches()
            self._small_count = 0


class _PartWriter:
    """The files of one part of one host: each row in the next one, in turn."""

    def __init__(
        self, spec: ModelSpec, folder: Path, part: str, *, file_count: int, host: int | None
    ) -> None:
        self.file_count = file_count
        self.row_count = 0
        self.labels: Counter[Any] = Counter()
        self._label = spec.target.name if spec.is_classification else ""
        self._folder, self._part, self._host = folder, part, host
        self._group_rows = GROUP_BYTES // (8 * len(spec.training_schema().names))
        self._gathered = [_Gathered() for _ in range(file_count)]
        self._files: dict[int, pq.ParquetWriter] = {}
        # Writes some rows while the next ones are read.
        self._pool = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def add(self, batches: list[pa.RecordBatch | None]) -> None:
        first = self.row_count % self.file_count
        for turn, batch in enumerate(batches):
            if batch is not None:
                number = (first + turn) % self.file_count
                self._gathered[number].add(batch)
                self.row_count += len(batch)
                if self._gathered[number].row_count >= self._group_rows:
                    self._write(number)

    def _write(self, number: int) -> None:
        self._wait()
        table = pa.Table.from_batches(self._gathered[number].batches)
        self._gathered[number] = _Gathered()
        self._writing = self._pool.submit(self._write_table, number, table)

    def _wait(self) -> None:
        """Wait for what is being written, and raise what stopped it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _write_table(self, number: int, table: pa.Table) -> None:
        if self._label:
            for found in table[self._label].value_counts().to_pylist():
                self.labels[found["values"]] += found["counts"]
        self._file(number, table.schema).write_table(table)

    def _file(self, number: int, schema: pa.Schema) -> pq.ParquetWriter:
        if number not in self._files:
            if self._host is None and self.file_count == 1:
                name = part_file(self._part)
            else:
                name = part_file(self._part, self._host or 0, number)
            self._folder.mkdir(parents=True, exist_ok=True)
            # Of numbers a dictionary is tried and dropped, which takes four times as long as all else.
            categories = [column.name for column in schema if pa.types.is_dictionary(column.type)]
            self._files[number] = pq.ParquetWriter(
                self._folder / name, schema, use_dictionary=categories, write_statistics=False
            )
        return self._files[number]

    def finish(self, schema: pa.Schema) -> None:
        for number, gathered in enumerate(self._gathered):
            if gathered.batches:
                self._write(number)
        self._wait()
        # Which columns have gaps is known now, and pandas' types with it: Arrow reads the schema that is written last.
        facts = {**schema.metadata, "ARROW:schema": base64.b64encode(schema.serialize())}
        for file in self._files.values():
            file.add_key_value_metadata(facts)
            file.close()

    def close(self) -> None:
        self._pool.shutdown()
        for file in self._files.values():
            if file.is_open:
                with suppress(OSError, pa.ArrowException):
                    file.close()
