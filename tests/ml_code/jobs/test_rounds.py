"""Estimators that report while they learn: what a tuning job reads, and the model that comes of it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml_code.estimators.saving import model_files
from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import read_raw
from ml_code.jobs.rounds import checked_rows
from ml_code.jobs.train import choose_threshold, train
from ml_code.metrics import measure
from ml_code.spec import ModelSpec, load_spec

EXAMPLES = Path(__file__).parents[3] / "examples"
HYPERBAND = {"strategy": "Hyperband", "max_jobs": 3, "max_parallel_jobs": 1, "min_rounds": 3}


def example(name: str, **changes: Any) -> tuple[ModelSpec, dict[str, pd.DataFrame]]:
    spec = load_spec(EXAMPLES / name / "model.yaml")
    changed = ModelSpec.model_validate({**spec.model_dump(), "tuning": HYPERBAND, **changes})
    return changed, split(read_raw(EXAMPLES / name / "data", spec), spec)


@pytest.mark.parametrize(
    ("name", "estimator", "metric"),
    [
        ("diabetes", "xgboost.XGBRegressor", "rmse"),
        ("diabetes", "lightgbm.LGBMRegressor", "r2"),
        ("flights", "xgboost.XGBClassifier", "f1"),
        ("flights", "lightgbm.LGBMClassifier", "average_precision"),
    ],
)
def test_each_round_is_reported_and_the_last_one_is_the_model(
    name: str, estimator: str, metric: str, capfd: pytest.CaptureFixture[str]
) -> None:
    quiet = {"verbosity": -1} if estimator.startswith("lightgbm") else {}
    spec, parts = example(
        name,
        estimator=estimator,
        hyperparameters={**quiet, "n_estimators": 8},
        search={"learning_rate": {"type": "continuous", "minimum": 0.1, "maximum": 0.3}},
        objective={"metric": metric},
    )
    model = train(spec, {"learning_rate": 0.2}, parts["train"], checked_rows(spec, parts["validation"]))
    reported = [float(each) for each in re.findall(spec.objective.log_pattern, capfd.readouterr().out)]
    assert len(reported) == 8
    choose_threshold(spec, model, parts["validation"])
    validation, target = parts["validation"], spec.target.name
    measured = measure(spec, model, validation.drop(columns=target), validation[target])
    assert reported[-1] == pytest.approx(measured[metric], abs=1e-6)

    silent = train(spec, {"learning_rate": 0.2}, parts["train"])
    silent.threshold = model.threshold
    features = parts["test"].drop(columns=target)
    assert np.array_equal(silent.predict(features), model.predict(features))
    assert model_files(model)


def test_an_estimator_that_stops_by_itself_stops_on_the_objective() -> None:
    spec, parts = example(
        "diabetes",
        estimator="xgboost.XGBRegressor",
        hyperparameters={"early_stopping_rounds": 5, "n_estimators": 500, "learning_rate": 0.5},
        search={"max_depth": {"type": "integer", "minimum": 2, "maximum": 6}},
        tuning={"strategy": "Random", "max_jobs": 1, "max_parallel_jobs": 1},
    )
    model = train(spec, {"max_depth": 6}, parts["train"], checked_rows(spec, parts["validation"]))
    assert model.pipeline.steps[-1][1].best_iteration < 100


def test_without_a_need_nothing_is_reported() -> None:
    spec, parts = example("diabetes", tuning={"strategy": "Random", "max_jobs": 1, "max_parallel_jobs": 1})
    assert checked_rows(spec, parts["validation"]) is None
