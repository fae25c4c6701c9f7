"""Raw data to train, validation and test parts, each row checked against the schema."""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ml_code.contracts import Argument
from ml_code.jobs.hosts import HostError, read_hosts
from ml_code.jobs.parts import PARTS, finish_places, refuse_small_parts
from ml_code.jobs.shard import CheckedFile, Shard, WrittenParts
from ml_code.raw_files import ALLOWED, RawFileError, files_below, some
from ml_code.spec import ModelSpec, load_spec
from ml_code.table.columns import Schema, SchemaError
from ml_code.table.files import read_files
from ml_code.table.frames import encode
from ml_code.table.ranges import Ranges
from ml_code.table.summary import Summary, check_unique


class Hosts(Protocol):
    """The workers that check and write: this process alone, or a cluster."""

    def files(self) -> tuple[list[str], list[str]]:
        """Return the sorted names of all data files, and of the files left out."""

    def check(self) -> list[CheckedFile]:
        """The files in the order of their names; on each host up to one with a fault."""

    def write(self, gaps: frozenset[str], places: dict[str, Any]) -> dict[str, WrittenParts]:
        """The parts of all files; by host."""

    def publish(self) -> None: ...


class ThisHost:
    """Does all work in this process."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    def files(self) -> tuple[list[str], list[str]]:
        return self._shard.files()

    def check(self) -> list[CheckedFile]:
        return self._shard.check()

    def write(self, gaps: frozenset[str], places: dict[str, Any]) -> dict[str, WrittenParts]:
        return {"algo-1": self._shard.write(gaps, places)}

    def publish(self) -> None:
        self._shard.publish()


def read_raw(folder: Path, spec: ModelSpec) -> pd.DataFrame:
    """All data files below the folder, in the order of their names, with the columns of `file_schema`."""
    schema = spec.file_schema()
    frame = read_folder(folder, schema, spec.ignored_names)
    summary = Summary.empty(schema)
    values = encode(frame, schema)
    summary.add(values, Ranges.of(values))
    refuse_constants(summary, spec)
    return frame


def read_folder(folder: Path, schema: Schema, ignored: Sequence[str] = ()) -> pd.DataFrame:
    return read_files(folder, _some_files(files_below(folder).data, folder), schema, ignored)


def refuse_constants(summary: Summary, spec: ModelSpec) -> None:
    """Columns of a pattern may be: of pixels, those at the edge often are."""
    for column in [spec.target, *(each for each in spec.features if not each.is_pattern)]:
        value = summary.constant(column.name)
        if value is not None:
            remedy = (
                "give rows of other values"
                if column is spec.target
                else "it tells a model nothing: name it below ignored, not below features"
            )
            raise SchemaError(
                f"column {column.name!r} is {value} in all {summary.row_count:,} rows; {remedy}"
            )


def hash_raw(folder: Path) -> str:
    """Return one hash of all files that `read_raw` reads."""
    return hash_of(_sha256_of(folder / name) for name in files_below(folder).data)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(digests: Iterable[str]) -> str:
    """The SHA-256 of the files' own, in the order of their names: each host has read but some of them."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def preprocess(hosts: Hosts, spec: ModelSpec, folder: Path) -> dict[str, Any]:
    """The content of dataset.json, once the parts are published; SchemaError or RawFileError of data that may not be used."""
    names, left_out = hosts.files()
    _some_files(names, folder)
    start = time.monotonic()
    files = hosts.check()
    fault = next((each.fault for each in files if each.fault), "")
    if fault:
        raise SchemaError(fault)
    checked_seconds = time.monotonic() - start
    schema = spec.file_schema()
    check_unique([(each.name, each.keys) for each in files], schema)
    summary = Summary.empty(schema)
    for each in files:
        summary.merge(each.summary)
    refuse_constants(summary, spec)
    written = hosts.write(summary.gaps, _all_places(files, spec))
    rows = {part: sum(each.rows[part] for each in written.values()) for part in PARTS}
    labels = {
        part: {label: sum(each.labels[part][label] for each in written.values()) for label in spec.classes}
        for part in PARTS
    }
    refuse_small_parts(rows, labels, spec)
    hosts.publish()
    seconds = time.monotonic() - start
    return {
        "data_sha256": hash_of(each.sha256 for each in files),
        "left_out": left_out,
        "target": spec.target.name,
        "task": spec.resolved_task,
        "classes": list(spec.classes),
        "rows": rows,
        "schema": spec.request_schema().to_dict(),
        "files": [each.facts for each in files],
        "preprocess": {
            "hosts": len(written),
            "bytes": sum(each.byte_count for each in files),
            "check_seconds": round(checked_seconds, 3),
            "write_seconds": round(seconds - checked_seconds, 3),
            "rows_per_second": round(summary.row_count / seconds, 1),
            "peak_memory_bytes": {host: each.peak_memory_bytes for host, each in sorted(written.items())},
        },
    }


def _all_places(files: Sequence[CheckedFile], spec: ModelSpec) -> dict[str, Any]:
    """The places of the rows of each file, where they depend on all rows."""
    given = [block for each in files for block in each.places]
    if not given:
        return {}
    targets = [block for each in files for block in each.targets]
    places = finish_places(np.concatenate(given), np.concatenate(targets) if targets else None, spec)
    ends = np.cumsum([each.summary.row_count for each in files])
    return {each.name: part for each, part in zip(files, np.split(places, ends[:-1]), strict=True)}


def _some_files(names: list[str], folder: Path) -> list[str]:
    if not names:
        raise RawFileError(f"no raw data in {folder}: put files of {ALLOWED} under the prefix of DataUri")
    return names


def main() -> None:
    arguments = _parse_arguments()
    spec, me = load_spec(), read_hosts()
    outputs = {name: getattr(arguments, f"{name}_out") for name in PARTS}
    shard = Shard(
        spec,
        arguments.data_dir,
        arguments.train_out.parent / ".work",  # on the job's volume, and no output itself
        outputs,
        arguments.train_shards,
        number=None if me.is_alone else me.number,
        host=me.name,
    )

    def lead(hosts: Hosts) -> None:
        facts = preprocess(hosts, spec, arguments.data_dir)
        if facts["left_out"]:
            print(f"left out, as names that begin with . or _ are no data: {some(facts['left_out'])}")
        given = {"data_uri": arguments.data_uri, "data_version": arguments.data_version}
        arguments.dataset_out.mkdir(parents=True, exist_ok=True)
        (arguments.dataset_out / "dataset.json").write_text(json.dumps({**given, **facts}, indent=2))
        count = sum(facts["rows"].values())
        print(f"{count} rows of {arguments.data_uri!r} fit the schema: {facts['rows']}")

    try:
        if me.is_alone:
            lead(ThisHost(shard))
        else:
            from ml_code.jobs import cluster  # its libraries travel with jobs of several hosts only

            cluster.run(me, shard, lead)
    except BaseException:
        shard.withdraw()
        raise


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument(f"--{Argument.DATA_URI}", required=True)
    parser.add_argument(
        f"--{Argument.DATA_VERSION}", required=True, help="the hash of the listing of the data"
    )
    parser.add_argument(
        f"--{Argument.TRAIN_SHARDS}", type=int, default=1, help="files of the train part: one a training host"
    )
    for name in (*PARTS, "dataset"):
        parser.add_argument(f"--{name}-out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except HostError as error:
        sys.exit(f"preprocess: {error}")
