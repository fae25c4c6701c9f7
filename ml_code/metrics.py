"""Measures of predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from ml_code.estimators.model import TableModel, class_codes
from ml_code.spec import Gate, ModelSpec, Objective
from ml_code.table.frames import encode

Values = npt.NDArray[np.float64]


def measure(spec: ModelSpec, model: TableModel, features: Any, truth: Any) -> dict[str, float]:
    """Every metric that model.yaml may name for the task."""
    values = encode(features, model.schema)
    if not spec.is_classification:
        return measure_numbers(spec, truth, model.numbers(values))
    probabilities = model.probabilities(values)
    return measure_classes(spec, truth, model.classes_[model.decide(probabilities)], probabilities)


def measure_answers(
    spec: ModelSpec, truth: Any, predicted: Sequence[Any], probabilities: Any = None
) -> dict[str, float]:
    """The same of what an endpoint answers."""
    if spec.is_classification:
        return measure_classes(spec, truth, predicted, probabilities)
    return measure_numbers(spec, truth, predicted)


def measure_numbers(spec: ModelSpec, truth: Any, predicted: Any) -> dict[str, float]:
    true, found = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    values = {
        "rmse": metrics.root_mean_squared_error(true, found),
        "mae": metrics.mean_absolute_error(true, found),
        "r2": metrics.r2_score(true, found) if len(true) > 1 else 0.0,
    }
    alpha = next((each.alpha for each in (spec.gate, spec.objective) if each.alpha is not None), None)
    if alpha is not None:
        values["pinball"] = metrics.mean_pinball_loss(true, found, alpha=alpha)
    return {name: float(value) for name, value in values.items()}


def measure_classes(
    spec: ModelSpec, truth: Any, predicted: Any, probabilities: Any = None
) -> dict[str, float]:
    """Without probabilities, the metrics that need none."""
    classes = spec.classes
    true, found = class_codes(_labels(truth), classes), class_codes(_labels(predicted), classes)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        true, found, average="macro", zero_division=0
    )
    values = {
        "accuracy": metrics.accuracy_score(true, found),
        "balanced_accuracy": _balanced_accuracy(true, found),
        "f1_macro": f1,
        "precision_macro": precision,
        "recall_macro": recall,
    }
    if spec.is_binary:
        values |= {
            "precision": metrics.precision_score(true, found, zero_division=0),
            "recall": metrics.recall_score(true, found, zero_division=0),
            "f1": metrics.f1_score(true, found, zero_division=0),
        }
    # A version in production may know other classes.
    if probabilities is not None and np.shape(probabilities)[1] == len(classes):
        values |= _measure_probabilities(true, np.asarray(probabilities, dtype=np.float64), len(classes))
    return {name: float(value) for name, value in values.items()}


def _measure_probabilities(true: Any, probabilities: Values, class_count: int) -> dict[str, Any]:
    labels = list(range(class_count))
    # Of libraries that compute in 32 bits they do not quite add up to 1.
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    found = {"log_loss": metrics.log_loss(true, probabilities, labels=labels)}
    if len(set(true.tolist())) < class_count:
        return found  # no curve without rows of each class
    if class_count == 2:
        found["roc_auc"] = metrics.roc_auc_score(true, probabilities[:, 1])
        found["average_precision"] = metrics.average_precision_score(true, probabilities[:, 1])
    else:
        found["roc_auc"] = metrics.roc_auc_score(true, probabilities, multi_class="ovr", labels=labels)
    return found


def _balanced_accuracy(true: Any, found: Any) -> float:
    """The balanced accuracy over the classes that occur: scikit-learn warns of predictions of others."""
    recalls = metrics.recall_score(true, found, labels=np.unique(true), average=None, zero_division=0)
    return float(np.mean(recalls))


def _labels(values: Any) -> list[Any]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


def value_of(measured: Gate | Objective, values: Mapping[str, float]) -> float:
    return values[measured.metric]


def measure_each_class(truth: Any, predicted: Any, classes: Sequence[Any]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and number of rows of each class."""
    true, found = class_codes(_labels(truth), classes), class_codes(_labels(predicted), classes)
    labels = list(range(len(classes)))
    table: Any = metrics.precision_recall_fscore_support(true, found, labels=labels, zero_division=0)
    names = ("precision", "recall", "f1", "rows")
    return {
        str(label): {name: float(column[code]) for name, column in zip(names, table, strict=True)}
        for code, label in enumerate(classes)
    }


def confusion(truth: Any, predicted: Any, classes: Sequence[Any]) -> npt.NDArray[np.int64]:
    """Rows are the truth, columns the prediction."""
    true, found = class_codes(_labels(truth), classes), class_codes(_labels(predicted), classes)
    return np.asarray(metrics.confusion_matrix(true, found, labels=list(range(len(classes)))))


def best_threshold(metric: str, truth: Any, probabilities: Values, classes: Sequence[Any]) -> float:
    """The probability of the second class from which it is predicted that makes the metric best.

    Halfway between two rows, so that a last bit of either changes nothing.
    """
    true, scores = class_codes(_labels(truth), classes), probabilities[:, 1]
    score = _THRESHOLD_SCORES[metric]
    levels = np.unique(scores)
    middles = (levels[1:] + levels[:-1]) / 2
    if len(middles) > _TRIED_THRESHOLDS:
        middles = np.quantile(middles, np.linspace(0, 1, _TRIED_THRESHOLDS))
    if not len(middles):
        return 0.5
    found = [float(score(true, scores >= middle)) for middle in middles]
    best = np.flatnonzero(np.isclose(found, max(found)))
    # Of those that are equally good, the nearest to one half.
    return float(min(middles[best], key=lambda middle: abs(middle - 0.5)))


_TRIED_THRESHOLDS = 500
_THRESHOLD_SCORES: dict[str, Any] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": _balanced_accuracy,
    "f1": lambda true, found: metrics.f1_score(true, found, zero_division=0),
    "f1_macro": lambda true, found: metrics.f1_score(true, found, average="macro", zero_division=0),
}
