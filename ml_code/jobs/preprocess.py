"""Raw data to train, validation and test parts, each row checked against the schema."""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ml_code.contracts import Argument
from ml_code.jobs.parts import PARTS, part_file, split
from ml_code.raw_files import ALLOWED, RawFileError, files_below
from ml_code.spec import ModelSpec, load_spec
from ml_code.table.columns import Schema, SchemaError
from ml_code.table.files import read_files


def read_raw(folder: Path, spec: ModelSpec) -> pd.DataFrame:
    """All data files below the folder, in the order of their names, with the columns of `file_schema`."""
    frame = read_folder(folder, spec.file_schema(), spec.ignored_names)
    _refuse_constants(frame, spec)
    return frame


def read_folder(folder: Path, schema: Schema, ignored: Sequence[str] = ()) -> pd.DataFrame:
    return read_files(folder, _data_files(folder), schema, ignored)


def _refuse_constants(frame: pd.DataFrame, spec: ModelSpec) -> None:
    """Columns of a pattern may be: of pixels, those at the edge often are."""
    columns = [spec.target, *(each for each in spec.features if not each.is_pattern)]
    for column in columns if len(frame) > 1 else ():
        cells = frame[column.name]
        if cells.nunique(dropna=False) == 1:
            value = "missing" if cells.isna().all() else repr(cells.iloc[:1].tolist()[0])
            remedy = (
                "give rows of other values"
                if column is spec.target
                else "it tells a model nothing: name it below ignored, not below features"
            )
            raise SchemaError(f"column {column.name!r} is {value} in all {len(frame):,} rows; {remedy}")


def hash_raw(folder: Path) -> str:
    """The SHA-256 of what `read_raw` reads."""
    digest = hashlib.sha256()
    for name in _data_files(folder):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def describe(spec: ModelSpec, parts: dict[str, pd.DataFrame]) -> dict[str, Any]:
    return {
        "target": spec.target.name,
        "task": spec.resolved_task,
        "classes": list(spec.classes),
        "rows": {name: len(part) for name, part in parts.items()},
        "schema": spec.request_schema().to_dict(),
    }


def _data_files(folder: Path) -> list[str]:
    names = files_below(folder).data
    if not names:
        raise RawFileError(f"no raw data in {folder}: put files of {ALLOWED} under the prefix of DataUri")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument(f"--{Argument.DATA_URI}", required=True)
    parser.add_argument(
        f"--{Argument.DATA_VERSION}", required=True, help="the hash of the listing of the data"
    )
    for name in (*PARTS, "dataset"):
        parser.add_argument(f"--{name}-out", type=Path, required=True)
    arguments = parser.parse_args()
    spec = load_spec()

    files = files_below(arguments.data_dir)
    if files.left_out:
        print(files.remark)
    frame = read_raw(arguments.data_dir, spec)
    parts = split(frame, spec)
    facts = {
        "data_uri": arguments.data_uri,
        "data_version": arguments.data_version,
        "data_sha256": hash_raw(arguments.data_dir),
        "left_out": files.left_out,
        **describe(spec, parts),
    }

    for name, part in parts.items():
        folder = getattr(arguments, f"{name}_out")
        folder.mkdir(parents=True, exist_ok=True)
        part.to_parquet(folder / part_file(name), index=False)
    arguments.dataset_out.mkdir(parents=True, exist_ok=True)
    (arguments.dataset_out / "dataset.json").write_text(json.dumps(facts, indent=2))
    print(f"{len(frame)} rows of {arguments.data_uri!r} fit the schema: {facts['rows']}")


if __name__ == "__main__":
    main()
