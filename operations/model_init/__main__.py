"""Drafts a first model of a table: its columns, target, estimator and gate.

Writes models/<name>/model.yaml and a sample of the data; nothing of the file is run or sent anywhere.
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd
from rich.console import Console

from ml_code.jobs.estimator import check_search
from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import read_raw
from ml_code.raw_files import RawFileError, is_parquet
from ml_code.spec import ModelSpec, SpecError, parse_spec
from ml_code.table.columns import SchemaError
from operations.errors import OperationError, run
from operations.factory import PROJECT
from operations.model_init.baseline import Baseline, measure_baseline
from operations.model_init.column_types import infer_types
from operations.model_init.csv_files import read_csv
from operations.model_init.document import render
from operations.model_init.draft import SEED, Draft, make_draft
from operations.model_init.estimators import Candidate, candidates
from operations.model_init.folder import check_folder, model_name, write_draft
from operations.model_init.parquet_files import read_parquet
from operations.model_init.raw_table import RawTable
from operations.model_init.report import print_choices, print_columns, print_next
from operations.model_init.sample import take_sample
from operations.model_init.task import check_table, task_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m operations.model_init", description=__doc__)
    parser.add_argument("--data", default="", help="a CSV or Parquet file")
    parser.add_argument("--target", default="", help="the column to predict")
    parser.add_argument("--name", default="", help="of the model; default: the file's")
    arguments = parser.parse_args()
    if not arguments.data:
        raise OperationError(
            "DATA is missing; give a CSV or Parquet file: make model-init DATA=rows.csv TARGET=column"
        )
    init(Console(), PROJECT, Path(arguments.data), arguments.target, arguments.name)


def init(console: Console, project: Path, data: Path, target: str, given_name: str = "") -> None:
    """Raise OperationError, before anything is written, when the table cannot become a model."""
    name = model_name(given_name, data)
    check_folder(project, name)
    draft = draft_table(data, target, name)
    print_columns(console, draft)
    best, baselines = compare(draft)
    print_choices(console, draft, best, baselines)
    taken_away = write_draft(project, name, render(draft, best, baselines), draft.sample)
    print_next(console, draft, taken_away, project)


def draft_table(data: Path, target: str, name: str) -> Draft:
    raw = read_table(data)
    check_table(raw, target, data)
    table = infer_types(raw)
    task = task_of(table.column(target))
    return make_draft(name, data.name, table, raw, task, take_sample(data, raw, task, SEED))


def read_table(data: Path) -> RawTable:
    if not data.is_file():
        kind = "a folder" if data.is_dir() else "not there"
        raise OperationError(f"DATA is {str(data)!r}, which is {kind}; give a CSV or Parquet file")
    return read_parquet(data) if is_parquet(data) else read_csv(data)


def compare(draft: Draft) -> tuple[Candidate, dict[str, Baseline]]:
    """The best candidate on the sample, which passes every check of the jobs first."""
    found = candidates(draft.task, draft.row_count)
    try:
        specs = [parse_spec(render(draft, each, {})) for each in found]
        frame = _checked_rows(draft, specs[0])
        for spec in specs:
            check_search(spec)
    except (SpecError, SchemaError, RawFileError) as error:
        raise OperationError(f"{draft.source} makes no model: {error}") from error
    baselines = {spec.estimator: measure_baseline(spec, draft.task, frame) for spec in specs}
    return max(found, key=lambda each: baselines[each.estimator].mean), baselines


def _checked_rows(draft: Draft, spec: ModelSpec) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / draft.sample.file_name).write_bytes(draft.sample.body)
        frame = read_raw(Path(folder), spec)
    split(frame, spec)
    return frame


if __name__ == "__main__":
    run(main)
