"""The best model of the tuning job on the test part, which nothing has seen before."""

import argparse
import json
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from ml_code.contracts import Argument
from ml_code.estimators.model import TableModel
from ml_code.estimators.saving import load_model
from ml_code.figures import draw_predictions
from ml_code.jobs import tuning_report
from ml_code.jobs.answers import answers_of
from ml_code.jobs.bootstrap import improvement_interval
from ml_code.jobs.gate import evaluate_gate, gate_message, gate_status
from ml_code.jobs.parts import PARTS, PartBlocks, read_part
from ml_code.jobs.production_baseline import BaselineError, ProductionBaseline, measure_production
from ml_code.metrics import confusion, measure_answers, measure_each_class, measure_gate
from ml_code.spec import ModelSpec, load_spec
from ml_code.table.text import write_csv
from ml_code.tracking import runs


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The measurements of a model on the test part; a regression has no classes, and no matrix of them."""

    metrics: dict[str, float]
    truth: list[Any]
    predicted: list[Any]
    probabilities: npt.NDArray[np.float64] | None
    classes: dict[str, dict[str, float]]
    confusion_matrix: npt.NDArray[np.int64] | None


def evaluate(spec: ModelSpec, model: TableModel, test: Iterable[pd.DataFrame]) -> Evaluation:
    """The test part comes in blocks of rows."""
    answers = answers_of(spec, model, test)
    truth, predicted = answers.truth, answers.predicted
    return Evaluation(
        metrics=measure_answers(spec, truth, predicted, answers.probabilities),
        truth=truth,
        predicted=predicted,
        probabilities=answers.probabilities,
        classes=measure_each_class(truth, predicted, spec.classes) if spec.is_classification else {},
        confusion_matrix=confusion(truth, predicted, spec.classes) if spec.is_classification else None,
    )


def interval(
    spec: ModelSpec, evaluation: Evaluation, baseline: ProductionBaseline | None
) -> tuple[float, float] | None:
    """The interval of the improvement over the version in production, if there is one."""
    if baseline is None:
        return None
    truth = evaluation.truth
    return improvement_interval(
        spec.gate,
        measure_gate(spec, truth, evaluation.predicted, evaluation.probabilities),
        measure_gate(spec, truth, baseline.predicted, baseline.probabilities),
        rows=len(truth),
        seed=spec.seed,
    )


def draw_evaluation(spec: ModelSpec, evaluation: Evaluation) -> Figure:
    metric = spec.gate.metric
    title = f"{metric} {evaluation.metrics[metric]:.4f} on {len(evaluation.truth):,} test rows"
    figure = draw_predictions(spec.classes, evaluation.truth, evaluation.predicted, evaluation.probabilities)
    figure.suptitle(title)
    return figure


def picture_name(spec: ModelSpec) -> str:
    return "confusion_matrix.png" if spec.is_classification else "predicted_against_true.png"


def read_model(folder: Path) -> tuple[TableModel, dict[str, Any]]:
    """The model of a training job's model.tar.gz, and what train.py wrote about its run."""
    with tarfile.open(folder / "model.tar.gz") as archive:
        files = {
            member.name.removeprefix("./"): stream.read()
            for member in archive.getmembers()
            if (stream := archive.extractfile(member)) is not None
        }
    return load_model(files), json.loads(files["run.json"])


def log_evaluation(
    spec: ModelSpec,
    evaluation: Evaluation,
    *,
    execution: runs.Execution,
    best: dict[str, Any],
    dataset: dict[str, Any],
    report: dict[str, Any],
    test: Iterable[pd.DataFrame],
) -> None:
    client = mlflow.MlflowClient()
    experiment = runs.experiment_id(client, spec.name)
    parent = runs.parent_run_id(client, experiment, execution)
    test_metrics = {f"test_{name}": value for name, value in evaluation.metrics.items()}
    class_metrics = {
        f"test_{name}_{runs.metric_key(label)}": value
        for label, values in evaluation.classes.items()
        for name, value in values.items()
    }
    gate_result = report["gate"]
    runs.log(
        client,
        parent,
        metrics={**test_metrics, **class_metrics, **_preprocess_metrics(dataset)},
        params={
            "data_sha256": dataset["data_sha256"],
            "data_uri": dataset["data_uri"],
            **{f"rows_{name}": rows for name, rows in dataset["rows"].items()},
            "best_run_id": best["run_id"],
            **best["hyperparameters"],
        },
        tags={"gate": f"{gate_status(gate_result)}: {spec.gate.text}"},
    )
    # The run of the model says how good it is as well: it is what a model version refers to.
    runs.log(client, best["run_id"], metrics=test_metrics, model_id=best["model_id"])
    client.log_figure(parent, draw_evaluation(spec, evaluation), picture_name(spec))
    trials = tuning_report.read_trials(client, spec, experiment, parent)
    if trials:
        title = tuning_report.describe(report["tuning"], report["rows"])
        figure = tuning_report.draw_tuning(spec, trials, best["run_id"], title)
        client.log_figure(parent, figure, tuning_report.PICTURE)
    client.log_dict(parent, report, "evaluation.json")
    client.log_dict(parent, dataset, "dataset.json")
    with tempfile.TemporaryDirectory() as directory:
        # Rows with known truth, to verify an endpoint of this model.
        file = Path(directory) / runs.TEST_DATA
        write_rows(file, test, spec)
        client.log_artifact(best["run_id"], str(file))
    client.set_terminated(parent)


def write_rows(file: Path, blocks: Iterable[pd.DataFrame], spec: ModelSpec) -> None:
    schema = spec.training_schema()
    encoding = schema.dialect.encoding
    with file.open("w", encoding=encoding, newline="") as text:
        for number, block in enumerate(blocks):
            text.write(write_csv(block, schema, header=not number).decode(encoding))


def _preprocess_metrics(dataset: dict[str, Any]) -> dict[str, float]:
    measured = dict(dataset.get("preprocess", {}))
    peaks = measured.pop("peak_memory_bytes", {})
    found = {f"preprocess_{name}": float(value) for name, value in measured.items()}
    return found | {f"preprocess_peak_memory_bytes_{host}": float(peak) for host, peak in peaks.items()}


def main() -> None:
    arguments = _parse_arguments()
    spec = load_spec()
    model, best = read_model(arguments.model_dir)
    dataset = json.loads((arguments.dataset_dir / "dataset.json").read_text())
    test = PartBlocks(arguments.test_dir, "test")

    evaluation = evaluate(spec, model, test)
    baseline = None if spec.gate.mode == "disabled" else measure_production(spec, test)
    matrix = evaluation.confusion_matrix
    report: dict[str, Any] = {
        "gate": evaluate_gate(spec.gate, evaluation.metrics, baseline, interval(spec, evaluation, baseline)),
        "metrics": evaluation.metrics,
        "classes": evaluation.classes,
        "confusion_matrix": None if matrix is None else matrix.tolist(),
        "decision_threshold": model.threshold,
        "rows": len(evaluation.truth),
        "model": best,
        "tuning": tuning_report.compare_with_defaults(
            spec,
            evaluation,
            train_part=read_part(arguments.train_dir, "train"),
            validation_part=read_part(arguments.validation_dir, "validation"),
            test_part=test,
        ),
    }
    arguments.evaluation_out.mkdir(parents=True, exist_ok=True)
    (arguments.evaluation_out / "evaluation.json").write_text(json.dumps(report, indent=2))
    log_evaluation(
        spec,
        evaluation,
        execution=runs.execution_of(arguments),
        best=best,
        dataset=dataset,
        report=report,
        test=test,
    )

    message = gate_message(report["gate"], report["rows"])
    print(message)
    arguments.exit_message_file.parent.mkdir(parents=True, exist_ok=True)
    arguments.exit_message_file.write_text(message, encoding="utf-8")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = [f"{name}-dir" for name in PARTS]
    for name in ("model-dir", *parts, "dataset-dir", "evaluation-out", Argument.EXIT_MESSAGE_FILE):
        parser.add_argument(f"--{name}", type=Path, required=True)
    runs.add_execution_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except BaselineError as error:
        sys.exit(f"evaluate: {error}")
