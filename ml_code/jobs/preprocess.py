"""Raw data to train, validation and test parts, each row checked against the schema."""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from ml_code.contracts import Argument
from ml_code.raw_files import ALLOWED, RawFileError, files_below, open_text, read_header
from ml_code.schema import Schema, SchemaError, check_columns, check_frame
from ml_code.spec import ModelSpec, Split, load_spec

PARTS = ("train", "validation", "test")


def read_raw(folder: Path, schema: Schema) -> pd.DataFrame:
    """All data files below the folder, in the order of their names."""
    names = _data_files(folder)
    return pd.concat([_read_checked(folder, name, schema) for name in names], ignore_index=True)


def hash_raw(folder: Path) -> str:
    """The SHA-256 of what `read_raw` reads."""
    digest = hashlib.sha256()
    for name in _data_files(folder):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def split(frame: pd.DataFrame, *, target: str, fractions: Split) -> dict[str, pd.DataFrame]:
    """A row's part depends on what is in the row and on nothing else.

    So a row that tests one version trains no later one, however the data grow: versions can be compared on
    the same test part. And equal rows are never in two parts.
    """
    # In [0, 1), uniformly; floats, because 3 and 3.0 are the same row.
    place = pd.util.hash_pandas_object(frame.astype(float), index=False) / 2**64
    in_train = place < fractions.train
    in_test = place >= fractions.train + fractions.validation
    parts = {"train": frame[in_train], "validation": frame[~in_train & ~in_test], "test": frame[in_test]}
    for name, part in parts.items():
        missing = sorted(set(frame[target]) - set(part[target]))
        if missing:
            raise SchemaError(
                f"the {name} part of {len(part)} rows has no row of {target} {missing[0]}, of which there are "
                f"{(frame[target] == missing[0]).sum()} in all; give more rows of it"
            )
    return parts


def describe(spec: ModelSpec, parts: dict[str, pd.DataFrame]) -> dict[str, Any]:
    target = spec.target.name
    return {
        "target": target,
        "classes": sorted({int(label) for part in parts.values() for label in part[target]}),
        "rows": {name: len(part) for name, part in parts.items()},
        "schema": spec.request_schema().to_dict(),
    }


def _data_files(folder: Path) -> list[str]:
    names = files_below(folder).data
    if not names:
        raise RawFileError(f"no raw data in {folder}: put files of {ALLOWED} under the prefix of DataUri")
    return names


def _read_checked(folder: Path, name: str, schema: Schema) -> pd.DataFrame:
    try:
        header = read_header(folder / name)
        check_columns(header, schema)
        with open_text(folder / name) as text:
            # Without an index: pandas would take the first column for one where rows are longer than the header.
            frame = pd.read_csv(text, header=0, names=header, index_col=False, low_memory=False)
        return check_frame(frame, schema)
    except (SchemaError, RawFileError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SchemaError(f"{name!r}: {error}") from None


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
    frame = read_raw(arguments.data_dir, spec.training_schema())
    parts = split(frame, target=spec.target.name, fractions=spec.split)
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
        part.to_csv(folder / f"{name}.csv", index=False)
    arguments.dataset_out.mkdir(parents=True, exist_ok=True)
    (arguments.dataset_out / "dataset.json").write_text(json.dumps(facts, indent=2))
    print(f"{len(frame)} rows of {arguments.data_uri!r} fit the schema: {facts['rows']}")


if __name__ == "__main__":
    main()
