"""The results of a window's comparison: the report in MLflow, and the metrics."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import mlflow
import numpy as np
from numpy.typing import NDArray

from ml_code.contracts import Metric, monitoring_experiment
from ml_code.drift.captures import LiveInputs
from ml_code.drift.comparison import Comparison
from ml_code.drift.figure import draw
from ml_code.table.columns import Schema
from ml_code.tracking import runs


@dataclass(frozen=True, kw_only=True)
class Window:
    """Files that came after `start`, and at `end` at the latest: S3 tells whole seconds."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        return self.start < moment <= self.end


@dataclass(frozen=True, kw_only=True)
class ServedVersion:
    endpoint: str
    model_version: str
    run_id: str


@dataclass(frozen=True, kw_only=True)
class Demands:
    minimum_rows: int
    smallest_statistic: float


def report_of(
    served: ServedVersion,
    window: Window,
    demands: Demands,
    live: LiveInputs,
    comparison: Comparison | None,
) -> dict[str, Any]:
    return {
        "endpoint": served.endpoint,
        "model_version": served.model_version,
        "run_id": served.run_id,
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "minimum_rows": demands.minimum_rows,
        "smallest_statistic": demands.smallest_statistic,
        "live": live.summary(),
        "compared": comparison is not None,
        **(comparison.to_dict() if comparison else {"drifted": [], "features": []}),
    }


def metrics_of(live: LiveInputs, comparison: Comparison) -> dict[str, float]:
    return {
        Metric.DRIFTED_FEATURES: len(comparison.drifted),
        Metric.LARGEST_DRIFT: comparison.largest_statistic,
        Metric.LIVE_ROWS: live.rows,
        Metric.UNREADABLE_CAPTURES: live.unreadable,
    }


def window_message(report: dict[str, Any]) -> str:
    live, drifted = report["live"], report["drifted"]
    rows = f"{live['rows']} rows of {live['requests']} requests"
    left_out = f"{live['refused']} requests refused, {live['unreadable']} lines unreadable"
    if not report["compared"]:
        return f"{rows} are too few, at least {report['minimum_rows']} are needed; {left_out}"
    verdict = f"{len(drifted)} features drifted: {', '.join(drifted)}" if drifted else "no feature drifted"
    return f"{rows}: {verdict}; {left_out}"


def log_report(
    client: mlflow.MlflowClient,
    model: str,
    report: dict[str, Any],
    schema: Schema,
    pictured: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> str:
    """A run of the experiment <model>-monitoring; its id."""
    experiment = runs.experiment_id(client, monitoring_experiment(model))
    tags = {
        "endpoint": report["endpoint"],
        "model_version": report["model_version"],
        "model_run_id": report["run_id"],
        "window_start": report["window"]["start"],
        "window_end": report["window"]["end"],
        "result": window_message(report),
    }
    name = f"{report['endpoint']} {report['window']['end']}"
    run_id = str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
    metrics = {key: float(report["live"][key]) for key in ("requests", "rows", "refused", "unreadable")}
    if report["compared"]:
        metrics["drifted_features"] = len(report["drifted"])
        metrics["largest_statistic"] = report["features"][0]["statistic"]
        client.log_figure(run_id, draw(report, schema, *pictured), "drift.png")
    runs.log(client, run_id, metrics=metrics)
    client.log_dict(run_id, report, "drift.json")
    client.set_terminated(run_id)
    return run_id
