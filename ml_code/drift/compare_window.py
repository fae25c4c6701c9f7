"""One window of captured requests against the training data of the model version that answered them.

Reads what data capture wrote between two moments, reports to MLflow and to S3, and publishes metrics; with too few
rows it only reports.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from ml_code.contracts import Argument
from ml_code.drift.captures import LiveInputs, read_captures
from ml_code.drift.comparison import Comparison, compare
from ml_code.drift.report import (
    Demands,
    ServedVersion,
    Window,
    log_report,
    metrics_of,
    report_of,
    window_message,
)
from ml_code.endpoint_metrics import publish
from ml_code.s3_uri import bucket_and_key
from ml_code.spec import load_spec
from ml_code.table.columns import Schema
from ml_code.table.frames import encode
from ml_code.tracking import runs

MAXIMUM_ROWS = 20_000
# A file lies under the hour of its first request, and comes when its buffer is full.
_LATE = timedelta(hours=2)


def captured_files(s3: Any, uri: str, window: Window) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The name and lines of each file of the window, in random order: a reader that stops early has a fair sample."""
    bucket, prefix = bucket_and_key(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, StartAfter=f"{prefix}{window.start - _LATE:%Y/%m/%d/%H}"
    )
    found = [item for page in pages for item in page.get("Contents", [])]
    keys = [
        item["Key"] for item in found if item["Key"].endswith(".jsonl") and window.holds(item["LastModified"])
    ]
    for index in np.random.default_rng(int(window.end.timestamp())).permutation(len(keys)):
        body = s3.get_object(Bucket=bucket, Key=keys[index])["Body"]
        yield keys[index].removeprefix(prefix), body.iter_lines()


def examine(
    schema: Schema, training: NDArray[np.float64], live: LiveInputs, demands: Demands
) -> Comparison | None:
    """The comparison of a window, None when it has too few rows to tell anything."""
    if live.rows < demands.minimum_rows:
        return None
    return compare(schema, training, live.values(schema), smallest_statistic=demands.smallest_statistic)


def read_training_sample(
    client: mlflow.MlflowClient, served: ServedVersion, schema: Schema
) -> NDArray[np.float64]:
    with tempfile.TemporaryDirectory() as directory:
        try:
            frame = pd.read_parquet(client.download_artifacts(served.run_id, runs.TRAINING_SAMPLE, directory))
        except (MlflowException, OSError) as error:
            raise SystemExit(
                f"run {served.run_id} of version {served.model_version} has no artifact {runs.TRAINING_SAMPLE} "
                f"to compare with ({error}); train and deliver a version with this code"
            ) from error
    return encode(frame, schema)


def main() -> None:
    arguments = _parse_arguments()
    window = Window(start=arguments.window_start, end=arguments.window_end)
    served = ServedVersion(
        endpoint=arguments.endpoint_name, model_version=arguments.model_version, run_id=arguments.run_id
    )
    demands = Demands(minimum_rows=arguments.minimum_rows, smallest_statistic=arguments.smallest_statistic)
    spec = load_spec()
    schema, s3, client = spec.request_schema(), boto3.client("s3"), mlflow.MlflowClient()

    files = captured_files(s3, arguments.captured_uri, window)
    live = read_captures(files, schema, maximum_rows=MAXIMUM_ROWS)
    training = read_training_sample(client, served, schema)
    comparison = examine(schema, training, live, demands)
    report = report_of(served, window, demands, live, comparison)
    run_id = log_report(client, spec.name, report, schema, (training, live.values(schema)))
    # A reader of the alarm looks for the report: it is written before the metric that sets the alarm off.
    bucket, prefix = bucket_and_key(arguments.reports_uri)
    key = f"{prefix}{window.end:%Y-%m-%dT%H:%M:%SZ}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps({**report, "report_run_id": run_id}).encode())
    if comparison:
        publish(boto3.client("cloudwatch"), served.endpoint, metrics_of(live, comparison))
    print(f"{window_message(report)}; MLflow run {run_id}")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in (
        Argument.ENDPOINT_NAME,
        Argument.MODEL_VERSION,
        Argument.RUN_ID,
        Argument.CAPTURED_URI,
        Argument.REPORTS_URI,
    ):
        parser.add_argument(f"--{name}", required=True)
    for name in (Argument.WINDOW_START, Argument.WINDOW_END):
        parser.add_argument(f"--{name}", type=_moment, required=True)
    parser.add_argument(f"--{Argument.MINIMUM_ROWS}", type=int, required=True)
    parser.add_argument(f"--{Argument.SMALLEST_STATISTIC}", type=float, required=True)
    return parser.parse_args()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


if __name__ == "__main__":
    main()
