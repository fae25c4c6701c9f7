"""Each task from rows to the verified answers of an endpoint, with the code of the jobs, the endpoint and the report."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import ClientError

from ml_code.inference import handler
from ml_code.jobs.evaluate import draw_evaluation, evaluate, interval
from ml_code.jobs.parts import split
from ml_code.jobs.production_baseline import ProductionBaseline
from ml_code.jobs.train import choose_threshold, train
from ml_code.metrics import measure
from ml_code.spec import ModelSpec, parse_spec
from ml_code.table.rows import RowReader
from ml_code.tracking.model_registry import RegisteredVersion
from ml_code.verification.invoke import ask, check_refusals
from ml_code.verification.report_figure import draw
from ml_code.verification.report_html import add_section, write_page
from ml_code.verification.settings import VerifySettings
from ml_code.verification.test_rows import LabelledRows
from ml_code.verification.verify import report

LINEAGE = {"model_version": "7", "run_id": "r", "commit": "c0ffee00"}
VERSION = RegisteredVersion(
    name="tasks",
    version="7",
    run_id="r",
    commit="c0ffee00",
    data_sha256="d",
    execution_arn="e",
    code_uri="u",
)
SETTINGS = VerifySettings(endpoint_name="tasks-staging", mlflow_tracking_uri="", stage="staging")
COMMON: dict[str, Any] = {
    "name": "tasks",
    "features": [
        {"name": "age", "type": "number"},
        {"name": "shop", "type": "string", "constraints": {"enum": ["north", "south", "<west>"]}},
        {"name": "since", "type": "date"},
    ],
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
    "seed": 1,
    "tuning": {"strategy": "Random", "max_jobs": 2, "max_parallel_jobs": 2},
}
LINEAR = {"search": {"C": {"type": "continuous", "minimum": 0.1, "maximum": 10.0}}}
CLASSIFIER = {
    "estimator": "sklearn.linear_model.LogisticRegression",
    "scaler": "sklearn.preprocessing.StandardScaler",
    **LINEAR,
}
TASKS: dict[str, dict[str, Any]] = {
    "two-classes": {
        **CLASSIFIER,
        "target": {"name": "y", "type": "string", "constraints": {"enum": ["stays", "leaves"]}},
        "class_weight": "balanced",
        "objective": {"metric": "average_precision"},
        "gate": {"metric": "average_precision", "threshold": 0.5},
    },
    "boolean": {
        **CLASSIFIER,
        "target": {"name": "y", "type": "boolean"},
        "class_weight": {"true": 3.0},
        "decision_threshold": 0.25,
        "objective": {"metric": "log_loss"},
        "gate": {"metric": "roc_auc", "threshold": 0.6},
    },
    "three-classes": {
        **CLASSIFIER,
        "target": {"name": "y", "type": "string", "constraints": {"enum": ["low", "mid", "high"]}},
        "objective": {"metric": "roc_auc"},
        "gate": {"metric": "f1_macro", "threshold": 0.4},
    },
    "regression": {
        "estimator": "sklearn.linear_model.Ridge",
        "search": {"alpha": {"type": "continuous", "minimum": 0.1, "maximum": 10.0}},
        "target": {"name": "y", "type": "number"},
        "objective": {"metric": "mae"},
        "gate": {"metric": "rmse", "threshold": 2},
    },
    "quantile": {
        "estimator": "sklearn.linear_model.QuantileRegressor",
        "hyperparameters": {"quantile": 0.9},
        "search": {"alpha": {"type": "continuous", "minimum": 0.0001, "maximum": 0.001}},
        "target": {"name": "y", "type": "number"},
        "objective": {"metric": "pinball", "alpha": 0.9},
        "gate": {"metric": "pinball", "alpha": 0.9, "threshold": 1},
    },
}


def spec_of(task: str) -> ModelSpec:
    text = json.dumps({**COMMON, **TASKS[task]})  # which is YAML, but for its keys
    return parse_spec(text.replace('"true": 3.0', "true: 3.0"))


def rows_of(spec: ModelSpec) -> pd.DataFrame:
    """Rows whose target follows the age, with gaps in every feature."""
    random = np.random.default_rng(3)
    age = random.uniform(18, 90, 400).round(1)
    noise = random.normal(0, 1, len(age))
    frame = pd.DataFrame(
        {
            "age": np.where(random.random(len(age)) < 0.05, np.nan, age),
            "shop": random.choice(np.array(["north", "south", "<west>", None], dtype=object), len(age)),
            "since": random.choice(np.array(["2026-01-31", "2025-06-01", None], dtype=object), len(age)),
        }
    )
    score = age / 10 + noise
    if not spec.is_classification:
        return frame.assign(y=score)
    place = np.digitize(score, np.quantile(score, np.linspace(0, 1, len(spec.classes) + 1)[1:-1]))
    return frame.assign(y=[spec.classes[index] for index in place])


class Runtime:
    """InvokeEndpoint of a model."""

    def __init__(self, served: handler.ServedModel) -> None:
        self.served = served

    def invoke_endpoint(self, **request: Any) -> Any:
        response = handler.transform_fn(
            self.served, request["Body"], request["ContentType"], request.get("Accept", "*/*")
        )
        if response.status_code == 200:
            return {"Body": io.BytesIO(response.get_data())}
        answer: Any = {
            "Error": {"Code": "ModelError", "Message": ""},
            "OriginalStatusCode": response.status_code,
        }
        raise ClientError(answer, "InvokeEndpoint")


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_trained_measured_served_and_verified(task: str, tmp_path: Path) -> None:
    spec = spec_of(task)
    parts = split(rows_of(spec), spec)
    model = train(spec, {name: found.samples()[0] for name, found in spec.search.items()}, parts["train"])
    choose_threshold(spec, model, parts["validation"])
    validation = parts["validation"]
    measured = measure(spec, model, validation.drop(columns="y"), validation["y"])
    assert spec.objective.metric in measured

    evaluation = evaluate(spec, model, [parts["test"]])
    assert spec.gate.reached(evaluation.metrics), evaluation.metrics
    same = ProductionBaseline(
        version="6",
        value=evaluation.metrics[spec.gate.metric],
        predicted=evaluation.predicted,
        probabilities=evaluation.probabilities,
    )
    assert interval(spec, evaluation, same) == (0.0, 0.0)
    draw_evaluation(spec, evaluation).savefig(tmp_path / "evaluation.png")

    served = handler.ServedModel(model=model, reader=RowReader(spec.request_schema()), lineage=LINEAGE)
    test_rows = LabelledRows(
        parts["test"].drop(columns="y"), parts["test"]["y"].tolist(), spec.request_schema()
    )
    runtime = Runtime(served)
    answers = ask(runtime, "tasks-staging", test_rows, LINEAGE)
    check_refusals(runtime, "tasks-staging")
    if spec.is_classification:
        assert answers.predictions == evaluation.predicted
    else:
        assert answers.predictions == pytest.approx(evaluation.predicted)
    result = report(version=VERSION, settings=SETTINGS, spec=spec, test_rows=test_rows, answers=answers)
    assert result["passed"]
    assert result["value"] == pytest.approx(evaluation.metrics[spec.gate.metric], abs=1e-6)
    assert bool(result["mistakes"]) == spec.is_classification

    picture, page = tmp_path / "verification.png", tmp_path / "verification.html"
    draw(picture, spec=spec, result=result, test_rows=test_rows, answers=answers)
    write_page(page, spec=spec, result=result, test_rows=test_rows, answers=answers, picture=picture)
    add_section(page, "For the approver", {"commit": "c0ffee00"}, ["<changed> a"])
    text = page.read_text()
    assert text.index("For the approver") < text.index("Metrics") < text.index("Lineage")
    assert ("Confusion matrix" in text) == spec.is_classification
    assert "&lt;west&gt;" in text
    assert "<west>" not in text


def test_a_lower_threshold_and_a_heavier_class_predict_it_more_often() -> None:
    spec = spec_of("two-classes")
    frame = rows_of(spec)
    plain = spec.model_copy(update={"class_weight": None})
    heavy = spec.model_copy(update={"class_weight": {"leaves": 10.0}})
    counts = [
        train(each, {"C": 1.0}, frame).predict(frame.drop(columns="y")).tolist().count("leaves")
        for each in (plain, heavy)
    ]
    model = train(plain, {"C": 1.0}, frame)
    model.threshold = 0.1
    counts.append(model.predict(frame.drop(columns="y")).tolist().count("leaves"))
    assert counts[0] < counts[1]
    assert counts[0] < counts[2]


def test_rows_without_one_of_the_classes_have_no_curve() -> None:
    spec = spec_of("two-classes")
    frame = rows_of(spec)
    model = train(spec, {"C": 1.0}, frame)
    stays = frame[frame["y"] == "stays"]
    measured = measure(spec, model, stays.drop(columns="y"), stays["y"])
    assert "log_loss" in measured
    assert not {"roc_auc", "average_precision"} & measured.keys()
