"""Estimators that are good at tables, and where to search their hyperparameters."""

from dataclasses import dataclass, field
from typing import Any

from operations.model_init.task import Task

# A forest grows with its data; of many rows it is too large to serve.
_MOST_FOREST_ROWS = 5_000


@dataclass(frozen=True, kw_only=True)
class Candidate:
    estimator: str
    why: str
    scaler: str = ""
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    search: dict[str, dict[str, Any]]


def candidates(task: Task, row_count: int) -> list[Candidate]:
    kind = "Classifier" if task.has_classes else "Regressor"
    found = [_boosting(kind), _linear(task)]
    return found if row_count > _MOST_FOREST_ROWS else [*found, _forest(kind)]


def _boosting(kind: str) -> Candidate:
    return Candidate(
        estimator=f"sklearn.ensemble.HistGradientBoosting{kind}",
        why="gradient boosted trees: strong on tables, take categories and gaps as they are",
        search={
            "learning_rate": _continuous(0.03, 0.3),
            "max_leaf_nodes": _integer(7, 63),
            "min_samples_leaf": _integer(5, 50),
            "l2_regularization": _continuous(0.001, 10.0),
        },
    )


def _forest(kind: str) -> Candidate:
    return Candidate(
        estimator=f"sklearn.ensemble.RandomForest{kind}",
        why="a forest of trees: robust on few rows",
        search={
            "min_samples_leaf": _integer(1, 10),
            "max_features": {"type": "continuous", "minimum": 0.2, "maximum": 1.0},
        },
    )


def _linear(task: Task) -> Candidate:
    why = "a linear model of scaled columns: hard to beat where effects add up"
    scaler = "sklearn.preprocessing.StandardScaler"
    if task.has_classes:
        return Candidate(
            estimator="sklearn.linear_model.LogisticRegression",
            why=why,
            scaler=scaler,
            hyperparameters={"max_iter": 2000},
            search={"C": _continuous(0.01, 100.0)},
        )
    return Candidate(
        estimator="sklearn.linear_model.Ridge",
        why=why,
        scaler=scaler,
        search={"alpha": _continuous(0.01, 100.0)},
    )


def _continuous(minimum: float, maximum: float) -> dict[str, Any]:
    return {"type": "continuous", "minimum": minimum, "maximum": maximum, "scale": "logarithmic"}


def _integer(minimum: int, maximum: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": minimum, "maximum": maximum, "scale": "logarithmic"}
