"""Raw data to train, validation and test parts, each row checked against the schema."""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from ml_code.contracts import Argument
from ml_code.schema import Schema, SchemaError, check_frame
from ml_code.spec import ModelSpec, Split, load_spec

PARTS = ("train", "validation", "test")


def read_raw(folder: Path, schema: Schema) -> pd.DataFrame:
    """All CSV files below the folder, in the order of their names."""
    return pd.concat([_read_checked(path, schema) for path in _csv_files(folder)], ignore_index=True)


def hash_raw(folder: Path) -> str:
    """The SHA-256 of what `read_raw` reads."""
    digest = hashlib.sha256()
    for path in _csv_files(folder):
        digest.update(path.read_bytes())
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


def _csv_files(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.csv"))
    if not files:
        raise FileNotFoundError(f"no *.csv file in {folder}: put the raw data under the prefix of DataUri")
    return files


def _read_checked(path: Path, schema: Schema) -> pd.DataFrame:
    try:
        return check_frame(pd.read_csv(path), schema)
    except (SchemaError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SchemaError(f"{path.name}: {error}") from None


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

    frame = read_raw(arguments.data_dir, spec.training_schema())
    parts = split(frame, target=spec.target.name, fractions=spec.split)
    facts = {
        "data_uri": arguments.data_uri,
        "data_version": arguments.data_version,
        "data_sha256": hash_raw(arguments.data_dir),
        **describe(spec, parts),
    }

    for name, part in parts.items():
        folder = getattr(arguments, f"{name}_out")
        folder.mkdir(parents=True, exist_ok=True)
        part.to_csv(folder / f"{name}.csv", index=False)
    arguments.dataset_out.mkdir(parents=True, exist_ok=True)
    (arguments.dataset_out / "dataset.json").write_text(json.dumps(facts, indent=2))
    print(f"{len(frame)} rows of {arguments.data_uri} fit the schema: {facts['rows']}")


if __name__ == "__main__":
    main()
