"""The files of a part: rows gathered, decoded and written as Parquet."""

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ml_code.jobs.parts import part_file
from ml_code.spec import ModelSpec
from ml_code.table.frames import decode

GROUP_BYTES = 1 << 24  # of rows that are written at a time: fewer take longer


class _Gathered:
    """Encoded rows that wait until they are worth a write.

    Their memory is used again: to get it anew takes longer than to fill it.
    """

    def __init__(self, width: int) -> None:
        self.count = 0
        self._columns = np.empty((width, max(1, GROUP_BYTES // (8 * width))))

    @property
    def is_full(self) -> bool:
        return self.count == self._columns.shape[1]

    def take(self, columns: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Take of these rows of `columns` as many as there is room for, and return the others."""
        taken = rows[: self._columns.shape[1] - self.count]
        end = self.count + len(taken)
        for target, column in zip(self._columns, columns, strict=True):
            target[self.count : end] = column.take(taken)
        self.count = end
        return rows[len(taken) :]

    def drain(self) -> NDArray[np.float64]:
        """Return all rows, a line of values each; their memory is that of the next ones."""
        values = self._columns[:, : self.count].T
        self.count = 0
        return values


class PartWriter:
    """The files of one part of one host: each row in the next file, in turn."""

    def __init__(
        self,
        spec: ModelSpec,
        folder: Path,
        part: str,
        gaps: frozenset[str],
        *,
        file_count: int,
        host: int | None,
    ) -> None:
        """`gaps` are the columns with missing cells; `host` is the host's number, None of a single one."""
        self.row_count = 0
        self.labels: Counter[Any] = Counter()
        self._spec, self._gaps = spec, gaps
        self._folder, self._part = folder, part
        self._count, self._host = file_count, host
        width = len(spec.training_schema().names)
        self._gathered = [_Gathered(width) for _ in range(file_count)]
        folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[int, pq.ParquetWriter] = {}
        self._next = 0
        # Writes one table while the next one is made.
        self._pool = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def add(self, columns: NDArray[np.float64], is_in: NDArray[np.bool_]) -> None:
        """Add the rows of the encoded columns that are in the part."""
        rows = np.flatnonzero(is_in)
        for place in range(self._count):
            number = (self._next + place) % self._count
            gathered = self._gathered[number]
            own = rows[place :: self._count]
            while len(own):
                own = gathered.take(columns, own)
                if gathered.is_full:
                    self._write(number)
        self._next = (self._next + len(rows)) % self._count
        self.row_count += len(rows)

    def _write(self, number: int) -> None:
        frame = decode(self._gathered[number].drain(), self._spec.training_schema(), gaps=self._gaps)
        if self._spec.is_classification:
            labels = frame[self._spec.target.name].value_counts()
            self.labels.update(dict(zip(labels.index.tolist(), labels, strict=True)))
        table = pa.Table.from_pandas(frame, preserve_index=False, nthreads=1)
        self._wait()
        self._writing = self._pool.submit(self._file(number, table.schema).write_table, table)

    def _wait(self) -> None:
        """Wait for what is being written, and raise what stopped it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _file(self, number: int, schema: pa.Schema) -> pq.ParquetWriter:
        if number not in self._files:
            if self._host is None and self._count == 1:
                name = part_file(self._part)
            else:
                name = part_file(self._part, self._host or 0, number)
            # Of numbers a dictionary is tried and dropped, which takes four times as long as all else.
            categories = [column.name for column in schema if pa.types.is_dictionary(column.type)]
            self._files[number] = pq.ParquetWriter(
                self._folder / name, schema, use_dictionary=categories, write_statistics=False
            )
        return self._files[number]

    def finish(self) -> None:
        """Write the rows that are left, and end the files."""
        for number, gathered in enumerate(self._gathered):
            if gathered.count:
                self._write(number)
        self._wait()
        for file in self._files.values():
            file.close()

    def close(self) -> None:
        """Let go of files that are not finished, after a failure, which is raised elsewhere."""
        self._pool.shutdown()
        for file in self._files.values():
            if file.is_open:
                with suppress(OSError, pa.ArrowException):
                    file.close()
