"""How good predictions are."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics
from sklearn.pipeline import Pipeline


def measure(model: Pipeline, features: pd.DataFrame, truth: "pd.Series[int]") -> dict[str, float]:
    """Every metric that model.yaml may name."""
    probabilities = model.predict_proba(features)
    predicted = model.classes_[probabilities.argmax(axis=1)]
    log_loss = float(metrics.log_loss(truth, probabilities, labels=model.classes_))
    return {**measure_predictions(truth, predicted), "log_loss": log_loss}


def measure_predictions(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> dict[str, float]:
    """Every metric that a gate may name."""
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, predicted, average="macro", zero_division=0
    )
    values = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
        "f1_macro": f1,
        "precision_macro": precision,
        "recall_macro": recall,
    }
    return {name: float(value) for name, value in values.items()}


def measure_classes(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, classes: list[int]
) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and number of rows of each class."""
    table: Any = metrics.precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
    names = ("precision", "recall", "f1", "rows")
    return {
        str(label): {name: float(column[position]) for name, column in zip(names, table, strict=True)}
        for position, label in enumerate(classes)
    }


def confusion(truth: npt.ArrayLike, predicted: npt.ArrayLike, classes: list[int]) -> npt.NDArray[np.int64]:
    """Rows are the truth, columns the prediction."""
    return np.asarray(metrics.confusion_matrix(truth, predicted, labels=classes))
