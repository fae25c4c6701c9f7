"""A host's share of the raw data: its files checked, and their rows written into the parts. One code for one host and many.

Files are read block by block: those of any size need the memory of some blocks, and of what is gathered for each file of a
part. Where a row's part depends on other rows they are read twice.
"""

import hashlib
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_code.jobs.hosts import HostError
from ml_code.jobs.part_writer import PartRows, PartWriters
from ml_code.jobs.parts import PARTS, first_places, needs_all_rows, split_schema, target_values
from ml_code.raw_files import Digest, RawFileError, files_below
from ml_code.spec import ModelSpec
from ml_code.table.blocks import Block, read_blocks
from ml_code.table.cells import Values
from ml_code.table.columns import Schema, SchemaError
from ml_code.table.summary import Summary, keys_of
from ml_code.table.threads import in_order, thread_count

PROGRESS_SECONDS = 60.0


@dataclass
class CheckedFile:
    """The counts of one raw file, for the merge over all hosts."""

    name: str
    byte_count: int
    summary: Summary
    sha256: str = ""
    fault: str = ""
    keys: list[dict[str, NDArray[Any]]] = field(default_factory=list)
    """Keys of its rows, block by block."""
    places: list[NDArray[np.float64]] = field(default_factory=list)
    """The place of each row, where the parts depend on all rows."""
    targets: list[NDArray[np.float64]] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "bytes": self.byte_count,
            "rows": self.summary.row_count,
            "sha256": self.sha256,
        }


@dataclass
class WrittenParts:
    """Rows of one host in each part, and of a classification how many of each label."""

    rows: dict[str, int]
    labels: dict[str, Counter[Any]]
    peak_memory_bytes: int


@dataclass
class _CheckedBlock:
    """Counts of some rows of a file, and the rows if their part is known."""

    file: CheckedFile
    summary: Summary
    keys: dict[str, NDArray[Any]]
    places: NDArray[np.float64]
    targets: NDArray[np.float64] | None
    rows: PartRows


@dataclass
class _Progress:
    """A line a minute."""

    file_count: int
    started: float = field(default_factory=time.monotonic)
    said: float = 0.0
    rows: int = 0

    def tell(self, files_done: int, more_rows: int) -> None:
        self.rows += more_rows
        now = time.monotonic()
        if now - max(self.said, self.started) >= PROGRESS_SECONDS:
            self.said = now
            print(
                f"checked: {files_done:,} of {self.file_count:,} files, {self.rows:,} rows in {now - self.started:.0f} s",
                flush=True,
            )


@dataclass
class Shard:
    """The folders of one host. `number` is None of a single host; `shard_count` is the number of files of the train part."""

    spec: ModelSpec
    data: Path
    work: Path
    outputs: Mapping[str, Path]
    shard_count: int
    number: int | None = None
    host: str = "algo-1"
    is_complete: bool = False
    """Whether all hosts have published their parts."""
    _names: list[str] = field(default_factory=list)
    _published: list[Path] = field(default_factory=list)
    _parts: PartWriters = field(init=False)
    _schema: Schema = field(init=False)
    _split_schema: Schema = field(init=False)
    _split_columns: slice | list[int] = field(init=False)

    def __post_init__(self) -> None:
        # Once, not for each block.
        self._schema, self._split_schema = self.spec.file_schema(), split_schema(self.spec)
        names, split_names = self._schema.names, self._split_schema.names
        self._split_columns = (
            slice(None) if names == split_names else [names.index(each) for each in split_names]
        )
        self._parts = PartWriters(self.spec, self.work, shard_count=self.shard_count, host=self.number)

    def files(self) -> tuple[list[str], list[str]]:
        """Return the names of the data files, and of the files left out."""
        found = files_below(self.data)
        self._names = found.data
        return found.data, found.left_out

    def check(self) -> list[CheckedFile]:
        """The files in their order, up to one with a fault. Rows whose part depends on them alone are written below `work`."""
        files: list[CheckedFile] = []
        progress = _Progress(len(self._names))
        with ThreadPoolExecutor(thread_count()) as pool:
            for each in in_order(pool, self._checked, self._blocks(files)):
                self._take(each)
                progress.tell(len(files) - 1, each.summary.row_count)
        return files

    def _blocks(self, files: list[CheckedFile]) -> Iterator[tuple[CheckedFile, Block]]:
        """The rows of all files; each file is added to `files` when it is opened."""
        for name in self._names:
            summary = Summary.empty(self._schema)
            file = CheckedFile(name, (self.data / name).stat().st_size, summary)
            files.append(file)
            digest = hashlib.sha256()
            try:
                for block in self._read(name, digest):
                    yield file, block
                file.sha256 = digest.hexdigest()
            except (SchemaError, RawFileError) as error:
                file.fault = str(error)
                return

    def _read(self, name: str, digest: Digest | None = None) -> Iterator[Block]:
        return read_blocks(self.data / name, name, self._schema, frozenset(self.spec.ignored_names), digest)

    def _checked(self, given: tuple[CheckedFile, Block]) -> _CheckedBlock:
        file, block = given
        summary = Summary.empty(self._schema)
        summary.add(block.values, block.ranges)
        places, targets = self._places(block)
        waits = needs_all_rows(self.spec) or not block.is_allowed
        rows = {} if waits else self._parts.part_rows(block.values, places)
        return _CheckedBlock(file, summary, keys_of(block, self._schema), places, targets, rows)

    def _places(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        spec, schema, values = self.spec, self._split_schema, block.values[:, self._split_columns]
        return first_places(values, block.texts, schema, spec), target_values(values, schema, spec)

    def _take(self, found: _CheckedBlock) -> None:
        found.file.summary.merge(found.summary)
        found.file.keys.append(found.keys)
        if needs_all_rows(self.spec):
            found.file.places.append(found.places)
            found.file.targets += [found.targets] if found.targets is not None else []
        self._add(found.rows)

    def _add(self, rows: PartRows) -> None:
        with self._volume():
            self._parts.add(rows)

    @contextmanager
    def _volume(self) -> Iterator[None]:
        """Name the host of a failure of its volume, and what to do about it."""
        self.work.mkdir(parents=True, exist_ok=True)
        try:
            yield
        except OSError as error:
            free = shutil.disk_usage(self.work).free
            raise HostError(
                f"{self.host} cannot write the rows to its volume, of which {free / 1e9:,.1f} GB are free: {error}. "
                "If it is full, raise compute.preprocess.volume_gb"
            ) from error

    def write(self, gaps: frozenset[str], places: Mapping[str, NDArray[np.float64]]) -> WrittenParts:
        """All parts, to their ends. `places` are those of the rows of each file, where they depend on all rows."""
        if places:
            with ThreadPoolExecutor(thread_count()) as pool:
                for rows in in_order(pool, lambda given: self._parts.part_rows(*given), self._placed(places)):
                    self._add(rows)
        with self._volume():
            self._parts.finish(gaps)
        return WrittenParts(self._parts.rows, self._parts.labels, peak_memory_bytes())

    def _placed(
        self, places: Mapping[str, NDArray[np.float64]]
    ) -> Iterator[tuple[Values, NDArray[np.float64]]]:
        """The rows of all files once more, and their places."""
        for name in self._names:
            start = 0
            for block in self._read(name):
                end = start + len(block.values)
                yield block.values, places[name][start:end]
                start = end
            if start != len(places[name]):
                raise HostError(
                    f"{self.host} found {start:,} rows in {name!r}, and {len(places[name]):,} when it read it before"
                )

    def publish(self) -> None:
        """The parts, whole, where the job's outputs are taken from."""
        for name in PARTS:
            self.outputs[name].mkdir(parents=True, exist_ok=True)
            for path in sorted((self.work / name).glob("*.parquet")):
                self._published.append(self.outputs[name] / path.name)
                shutil.move(path, self._published[-1])
        self.discard()

    def withdraw(self) -> None:
        """Take back what a job has published that failed after all."""
        for path in self._published:
            path.unlink(missing_ok=True)
        self.discard()

    def discard(self) -> None:
        self._parts.close()
        shutil.rmtree(self.work, ignore_errors=True)


def peak_memory_bytes() -> int:
    """The most that this process had since it started."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
