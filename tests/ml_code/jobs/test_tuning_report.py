"""The tuning report: the trials of the execution's run, and the winner beside the estimator's defaults."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from ml_code.jobs.evaluate import Evaluation, evaluate
from ml_code.jobs.parts import split
from ml_code.jobs.train import train
from ml_code.jobs.tuning_report import Trial, compare_with_defaults, describe, draw_tuning, read_trials
from ml_code.spec import ModelSpec
from ml_code.tracking import runs

VALUES = {"hidden_layer_sizes": 64, "alpha": 0.1, "learning_rate_init": 0.01}


def test_the_trials_are_those_of_the_execution(tmp_path: Path, empty_registry: Path, spec: ModelSpec) -> None:
    shutil.copy(empty_registry, tmp_path / "mlflow.db")
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = runs.experiment_id(client, spec.name)
    for parent, score in (("first", 0.9), ("second", 0.8)):
        child = runs.child_run_id(client, experiment, parent, "job")
        runs.log(client, child, params=VALUES, metrics={"validation_accuracy": score})
        runs.child_run_id(client, experiment, parent, "a job that was stopped")
    (trial,) = read_trials(client, spec, experiment, "second")
    assert (trial.values["alpha"], trial.score) == ("0.1", 0.8)


@pytest.fixture(scope="module")
def tuned(spec: ModelSpec, digits: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], Evaluation]:
    parts = split(digits, spec)
    return parts, evaluate(spec, train(spec, VALUES, parts["train"]), [parts["test"]])


def named(parts: dict[str, pd.DataFrame]) -> dict[str, Any]:
    return {f"{name}_part": [part] if name == "test" else part for name, part in parts.items()}


def test_the_winner_is_compared_with_the_defaults(
    spec: ModelSpec, tuned: tuple[dict[str, pd.DataFrame], Evaluation]
) -> None:
    parts, evaluation = tuned
    found = compare_with_defaults(spec, evaluation, **named(parts))
    assert found["tuned"] == evaluation.metrics["accuracy"]
    assert found["low"] <= found["improvement"] <= found["high"]
    assert "with the defaults: improvement" in describe(found, len(parts["test"]))


def test_an_estimator_without_defaults_is_said_to_have_none(
    spec: ModelSpec, tuned: tuple[dict[str, pd.DataFrame], Evaluation]
) -> None:
    parts, evaluation = tuned
    odd = spec.model_copy(update={"hyperparameters": {"early_stopping": True, "validation_fraction": 0.9999}})
    found = compare_with_defaults(odd, evaluation, **named(parts))
    assert found["defaults"] is None
    assert "there are no defaults to train with: " in describe(found, 3)


def test_each_hyperparameter_has_a_slice(spec: ModelSpec) -> None:
    random = np.random.default_rng(1)
    trials = [
        Trial(
            run_id=str(number),
            values={"hidden_layer_sizes": "100", "alpha": "0.5", "learning_rate_init": "0.002"},
            score=float(random.random()),
        )
        for number in range(5)
    ]
    figure = draw_tuning(spec, trials, "3", "title")
    assert len(figure.axes) == 1 + len(spec.search)
    assert draw_tuning(spec, trials[:1], "0", "one trial").axes
