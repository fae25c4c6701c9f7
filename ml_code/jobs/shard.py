"""A host's share of the raw data: its files checked, and their rows written into the parts. One code for one host and many.

Between the two stages the encoded rows wait on disk: files of any size need the memory of a block each, and some for each
file of a part.
"""

import hashlib
import resource
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_code.jobs.hosts import HostError
from ml_code.jobs.part_writer import PartWriter
from ml_code.jobs.parts import (
    PARTS,
    cut,
    first_places,
    needs_all_rows,
    split_schema,
    target_values,
)
from ml_code.raw_files import RawFileError, files_below
from ml_code.spec import ModelSpec
from ml_code.table.blocks import Block, read_blocks
from ml_code.table.columns import SchemaError
from ml_code.table.summary import Summary, keys_of


@dataclass
class CheckedFile:
    """The counts of one raw file, for the merge over all hosts."""

    name: str
    byte_count: int
    sha256: str
    summary: Summary
    fault: str = ""
    keys: dict[str, NDArray[Any]] = field(default_factory=dict)
    places: NDArray[np.float64] | None = None
    """The place of each row, where the parts depend on all rows."""
    targets: NDArray[np.float64] | None = None

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
    _published: list[Path] = field(default_factory=list)
    _block_rows: dict[str, list[int]] = field(default_factory=dict)
    """The number of rows of each block of a checked file, by the file's name."""

    def files(self) -> tuple[list[str], list[str]]:
        """Return the names of the data files, and of the files left out."""
        found = files_below(self.data)
        return found.data, found.left_out

    def check(self, name: str) -> CheckedFile:
        """One file checked, its rows kept below `work`; a fault of it is in the answer: of several files, the first one counts."""
        spec, path = self.spec, self.data / name
        schema = spec.file_schema()
        checked = CheckedFile(name, path.stat().st_size, sha256_of(path), Summary.empty(schema))
        keys: list[dict[str, NDArray[Any]]] = []
        places: list[NDArray[np.float64]] = []
        targets: list[NDArray[np.float64]] = []
        block_rows = self._block_rows[name] = []
        width = len(spec.training_schema().names)  # the first columns of file_schema
        try:
            with (
                self._volume(),
                self._kept(name, "rows").open("wb") as rows,
                self._kept(name, "places").open("wb") as kept,
            ):
                for block in read_blocks(path, name, schema, frozenset(spec.ignored_names)):
                    checked.summary.add(block.values)
                    keys.append(keys_of(block, schema))
                    block_rows.append(len(block.values))
                    # Column after column. Not by tofile, which writes a part to a full disk and says nothing.
                    rows.write(np.ascontiguousarray(block.values[:, :width].T).data)
                    found, target = self._places(block)
                    if needs_all_rows(spec):
                        places.append(found)
                        targets += [target] if target is not None else []
                    else:
                        kept.write(np.ascontiguousarray(found).data)
        except (SchemaError, RawFileError) as error:
            checked.fault = str(error)
            return checked
        checked.keys = {key: np.concatenate([each[key] for each in keys]) for key in keys[0]}
        checked.places = np.concatenate(places) if places else None
        checked.targets = np.concatenate(targets) if targets else None
        return checked

    def _places(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        spec, schema = self.spec, split_schema(self.spec)
        names = spec.file_schema().names
        positions = [names.index(name) for name in schema.names]
        values = block.values[:, positions] if positions != list(range(len(names))) else block.values
        return first_places(values, block.texts, schema, spec), target_values(values, schema, spec)

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

    def _kept(self, name: str, kind: str) -> Path:
        return self.work / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.{kind}"

    def write(
        self, names: list[str], gaps: frozenset[str], places: Mapping[str, NDArray[np.float64]]
    ) -> WrittenParts:
        """The rows of these checked files, in their order, into the parts. `places` are given where they depend on all rows."""
        with self._volume():
            for name, found in places.items():
                self._kept(name, "places").write_bytes(np.ascontiguousarray(found).data)
            return self._write(names, gaps)

    def _write(self, names: list[str], gaps: frozenset[str]) -> WrittenParts:
        writers = {
            name: PartWriter(
                self.spec,
                self.work / name,
                name,
                gaps,
                file_count=self.shard_count if name == "train" else 1,
                host=self.number,
            )
            for name in PARTS
        }
        with ExitStack() as stack:
            for writer in writers.values():
                stack.enter_context(closing(writer))
            for name in names:
                for columns, row_places in self._rows(name):
                    for part, is_in in cut(row_places, self.spec.split).items():
                        writers[part].add(columns, is_in)
            for writer in writers.values():
                writer.finish()
        return WrittenParts(
            {name: writer.row_count for name, writer in writers.items()},
            {name: writer.labels for name, writer in writers.items()},
            peak_memory_bytes(),
        )

    def _rows(self, name: str) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Block by block, the encoded columns, until the next are read, and the place of each row."""
        width = len(self.spec.training_schema().names)
        with self._kept(name, "rows").open("rb") as rows, self._kept(name, "places").open("rb") as places:
            counts = self._block_rows[name]
            memory = np.empty(max(counts) * width)
            for count in counts:
                columns, row_places = memory[: count * width], np.empty(count)
                for file, values in ((rows, columns), (places, row_places)):
                    if file.readinto(values.data) != values.nbytes:
                        raise HostError(
                            f"{self.host} reads fewer rows of {name!r} from its volume than it wrote"
                        )
                yield columns.reshape(width, count), row_places
        for kind in ("rows", "places"):
            self._kept(name, kind).unlink()

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
        shutil.rmtree(self.work, ignore_errors=True)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def peak_memory_bytes() -> int:
    """The most that this process had since it started."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
