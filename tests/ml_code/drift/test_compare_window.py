import io
import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from ml_code.drift import compare_window as window_module
from ml_code.drift.compare_window import captured_files, main
from ml_code.drift.report import Window
from ml_code.spec import ModelSpec
from ml_code.tracking import model_registry, runs
from tests.ml_code.drift.captures import captured

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
URI = "s3://artifacts/captured/digits-production/AllTraffic/"
PREFIX = "captured/digits-production/AllTraffic/"


class Body(io.BytesIO):
    def iter_lines(self) -> Iterator[bytes]:
        return iter(self)


class Bucket:
    """S3 with one bucket; what comes is of `now`."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[datetime, bytes]] = {}

    def put(self, hour: str, moment: datetime, *lines: bytes, name: str = "a.jsonl") -> None:
        self.objects[f"{PREFIX}{hour}/{name}"] = (moment, b"".join(lines))

    def get_paginator(self, operation: str) -> "Bucket":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str, StartAfter: str) -> list[dict[str, Any]]:
        assert Bucket == "artifacts"
        keys = sorted(key for key in self.objects if key.startswith(Prefix) and key > StartAfter)
        return [{"Contents": [{"Key": key, "LastModified": self.objects[key][0]}]} for key in keys] + [{}]

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": Body(self.objects[Key][1])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self.objects[Key] = (NOON, Body)


class CloudWatch:
    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def put_metric_data(self, **request: Any) -> None:
        self.requests.append(request)


def test_a_window_has_what_came_in_it_however_old_its_hour() -> None:
    s3 = Bucket()
    s3.put("2026/11/24/10", NOON, name="before.jsonl")
    s3.put("2026/11/24/10", NOON + timedelta(seconds=1), b"late\n", name="late.jsonl")
    s3.put("2026/11/24/12", NOON + timedelta(minutes=60), b"last\n", name="last.jsonl")
    s3.put("2026/11/24/12", NOON + timedelta(minutes=5), b"other", name="manifest.json")
    s3.put("2026/11/24/13", NOON + timedelta(minutes=60, seconds=1), name="after.jsonl")
    window = Window(start=NOON, end=NOON + timedelta(minutes=60))
    found = {name: list(lines) for name, lines in captured_files(s3, URI, window)}
    assert found == {"2026/11/24/10/late.jsonl": [b"late\n"], "2026/11/24/12/last.jsonl": [b"last\n"]}


class Run:
    """main() as a job runs it, with a registry of its own and S3 and CloudWatch as above."""

    def __init__(self, client: MlflowClient, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s3, self.cloudwatch = Bucket(), CloudWatch()
        self.client, self.run_id = client, run_id
        self._monkeypatch = monkeypatch
        services = {"s3": self.s3, "cloudwatch": self.cloudwatch}
        monkeypatch.setattr(boto3, "client", services.__getitem__)
        monkeypatch.setattr(mlflow, "MlflowClient", lambda: client)

    def __call__(self) -> dict[str, Any]:
        arguments = {
            "endpoint-name": "digits-production",
            "model-version": "3",
            "run-id": self.run_id,
            "captured-uri": URI,
            "reports-uri": "s3://artifacts/monitoring/digits-production/",
            "window-start": NOON.isoformat(),
            "window-end": (NOON + timedelta(hours=1)).isoformat(),
            "minimum-rows": "200",
            "smallest-statistic": "0.1",
        }
        words = [word for name, value in arguments.items() for word in (f"--{name}", value)]
        self._monkeypatch.setattr(sys, "argv", ["window", *words])
        main()
        _, body = self.s3.objects["monitoring/digits-production/2026-11-24T13:00:00Z.json"]
        report: dict[str, Any] = json.loads(body)
        return report


@pytest.fixture
def rows(spec: ModelSpec, digits: pd.DataFrame) -> pd.DataFrame:
    # Shuffled: as they come, they are by one writer after the other, and that is a drift.
    shuffled = digits.sample(frac=1, random_state=3, ignore_index=True)
    return shuffled[spec.request_schema().names].astype(float)


@pytest.fixture
def run(
    rows: pd.DataFrame,
    spec: ModelSpec,
    empty_registry: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    database = shutil.copy(empty_registry, tmp_path / "mlflow.db")
    client = model_registry.connect(f"sqlite:///{database}")
    experiment = client.create_experiment("digits", artifact_location=(tmp_path / "artifacts").as_uri())
    client.create_experiment("digits-monitoring", artifact_location=(tmp_path / "reports").as_uri())
    run_id = client.create_run(experiment).info.run_id
    sample = tmp_path / runs.TRAINING_SAMPLE
    rows.iloc[:1000].to_parquet(sample, index=False)
    client.log_artifact(run_id, str(sample))
    monkeypatch.setattr(window_module, "load_spec", lambda: spec)
    return Run(client, run_id, monkeypatch)


def csv_of(rows: pd.DataFrame) -> str:
    return str(rows.to_csv(index=False))


def test_a_shift_is_reported_and_published(run: Run, rows: pd.DataFrame) -> None:
    shifted = rows.iloc[1000:1300].copy()
    for name in ("pixel_0_1", "pixel_1_7", "pixel_7_1"):
        shifted[name] = shifted[name] + 2 * rows[name].std()
    run.s3.put("2026/11/24/12", NOON + timedelta(minutes=5), captured(csv_of(shifted)), b"broken\n")
    report = run()
    assert set(report["drifted"]) == {"pixel_0_1", "pixel_1_7", "pixel_7_1"}
    assert report["live"]["rows"] == 300
    assert "line 2" in report["live"]["faults"][0]
    (request,) = run.cloudwatch.requests
    assert request["Namespace"] == "ModelFactory"
    metrics = {data["MetricName"]: data["Value"] for data in request["MetricData"]}
    assert metrics.pop("LargestDrift") > 0.5
    assert metrics == {"DriftedFeatures": 3, "LiveRows": 300, "UnreadableCaptures": 1}
    dimensions = [{"Name": "EndpointName", "Value": "digits-production"}]
    assert all(data["Dimensions"] == dimensions for data in request["MetricData"])
    logged = run.client.get_run(report["report_run_id"])
    assert logged.data.tags["result"].startswith("300 rows of 1 requests: 3 features drifted: pixel_")
    assert logged.data.metrics["drifted_features"] == 3
    artifacts = {file.path for file in run.client.list_artifacts(logged.info.run_id)}
    assert artifacts == {"drift.json", "drift.png"}


def test_unshifted_rows_publish_a_zero(run: Run, rows: pd.DataFrame) -> None:
    lines = [captured(csv_of(rows.iloc[number : number + 1])) for number in range(1000, 1250)]
    run.s3.put("2026/11/24/12", NOON + timedelta(minutes=5), *lines)
    report = run()
    assert (report["compared"], report["drifted"]) == (True, [])
    (request,) = run.cloudwatch.requests
    assert {"MetricName": "DriftedFeatures", "Value": 0}.items() <= request["MetricData"][0].items()


def test_too_few_rows_publish_nothing_and_are_reported(run: Run, rows: pd.DataFrame) -> None:
    run.s3.put("2026/11/24/12", NOON + timedelta(minutes=5), captured(csv_of(rows.iloc[:199] * 0)))
    report = run()
    assert (report["compared"], report["drifted"]) == (False, [])
    assert run.cloudwatch.requests == []
    result = run.client.get_run(report["report_run_id"]).data.tags["result"]
    assert result.startswith("199 rows of 1 requests are too few, at least 200 are needed")


def test_a_version_without_a_training_sample_is_named(run: Run) -> None:
    experiment = run.client.get_run(run.run_id).info.experiment_id
    run.run_id = run.client.create_run(experiment).info.run_id
    with pytest.raises(SystemExit, match=r"of version 3 has no artifact training_sample.parquet"):
        run()


def test_the_model_s_schema_fits_the_rows(rows: pd.DataFrame, spec: ModelSpec) -> None:
    assert list(rows.columns) == spec.request_schema().names
    assert np.isfinite(rows.to_numpy()).all()
