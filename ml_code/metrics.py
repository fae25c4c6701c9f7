"""Measures of predictions."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from ml_code.estimators.model import TableModel, class_codes
from ml_code.spec import METRICS, ModelSpec
from ml_code.table.cells import Values
from ml_code.table.frames import encode

Codes = NDArray[np.intp]


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
    """Measure an endpoint's answers in the same way."""
    if spec.is_classification:
        return measure_classes(spec, truth, predicted, probabilities)
    return measure_numbers(spec, truth, predicted)


def measure_numbers(spec: ModelSpec, truth: Any, predicted: Any) -> dict[str, float]:
    true, found = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    names = [*_OF_NUMBERS, *(["pinball"] if _alpha(spec) is not None else [])]
    return {name: measure_number(spec, name, true, found) for name in names}


def measure_number(spec: ModelSpec, metric: str, true: Values, found: Values) -> float:
    if metric == "pinball":
        return float(metrics.mean_pinball_loss(true, found, alpha=_alpha(spec)))
    return float(_OF_NUMBERS[metric](true, found))


def _alpha(spec: ModelSpec) -> float | None:
    return next((each.alpha for each in (spec.gate, spec.objective) if each.alpha is not None), None)


def measure_classes(
    spec: ModelSpec, truth: Any, predicted: Any, probabilities: Any = None
) -> dict[str, float]:
    """Every metric of the task; without probabilities, those that need none."""
    classes = spec.classes
    true, found = class_codes(_labels(truth), classes), class_codes(_labels(predicted), classes)
    names = [*_OF_CLASSES, *(_OF_TWO_CLASSES if spec.is_binary else [])]
    values = {name: measure_codes(name, true, found) for name in names}
    # A version in production may know other classes.
    if probabilities is not None and np.shape(probabilities)[1] == len(classes):
        scores = np.asarray(probabilities, dtype=np.float64)
        values |= {name: measure_scores(name, true, scores) for name in _score_names(true, len(classes))}
    return values


def measure_codes(metric: str, true: Codes, found: Codes) -> float:
    """The metrics of classes by their places."""
    return float((_OF_CLASSES | _OF_TWO_CLASSES)[metric](true, found))


def measure_scores(metric: str, true: Codes, probabilities: Values) -> float:
    labels = list(range(probabilities.shape[1]))
    if metric == "log_loss":
        # Of libraries that compute in 32 bits they do not quite add up to 1.
        whole = probabilities / probabilities.sum(axis=1, keepdims=True)
        return float(metrics.log_loss(true, whole, labels=labels))
    if metric == "average_precision":
        return float(metrics.average_precision_score(true, probabilities[:, 1]))
    if len(labels) == 2:
        return float(metrics.roc_auc_score(true, probabilities[:, 1]))
    return float(metrics.roc_auc_score(true, probabilities, multi_class="ovr", labels=labels))


def _score_names(true: Codes, class_count: int) -> list[str]:
    """The metrics of probabilities that these rows have: a curve needs rows of each class."""
    if len(np.unique(true)) < class_count:
        return ["log_loss"]
    return ["log_loss", "roc_auc", *(["average_precision"] if class_count == 2 else [])]


def measure_gate(
    spec: ModelSpec, truth: Any, predicted: Any, probabilities: Values | None
) -> Callable[[NDArray[np.intp]], float | None]:
    """Return a function from row indices to the gate's metric of those rows; it returns None if the metric is undefined."""
    metric = spec.gate.metric
    if not spec.is_classification:
        numbers = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
        return lambda rows: measure_number(spec, metric, numbers[0][rows], numbers[1][rows])
    true, found = (class_codes(_labels(each), spec.classes) for each in (truth, predicted))
    if not METRICS[metric].needs_probabilities:
        return lambda rows: measure_codes(metric, true[rows], found[rows])
    assert probabilities is not None
    count = len(spec.classes)
    return lambda rows: (
        measure_scores(metric, true[rows], probabilities[rows])
        if metric in _score_names(true[rows], count)
        else None
    )


def _balanced_accuracy(true: Any, found: Any) -> float:
    """The balanced accuracy over the classes that occur: scikit-learn warns of predictions of others."""
    recalls = metrics.recall_score(true, found, labels=np.unique(true), average=None, zero_division=0)
    return float(np.mean(recalls))


def _labels(values: Any) -> list[Any]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


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


def confusion(truth: Any, predicted: Any, classes: Sequence[Any]) -> NDArray[np.int64]:
    """The confusion matrix; rows are the truth, columns the prediction."""
    true, found = class_codes(_labels(truth), classes), class_codes(_labels(predicted), classes)
    return np.asarray(metrics.confusion_matrix(true, found, labels=list(range(len(classes)))))


def best_threshold(metric: str, truth: Any, probabilities: Values, classes: Sequence[Any]) -> float:
    """The probability of the second class from which it is predicted that makes the metric best.

    Halfway between two rows, so that a last bit of either changes nothing.
    """
    return best_code_threshold(metric, class_codes(_labels(truth), classes), probabilities[:, 1])


def best_code_threshold(metric: str, true: Codes, scores: Values) -> float:
    """The best of all thresholds, by one sort: each metric follows from how many rows of each class are above."""
    order = np.argsort(scores, kind="stable")
    ordered, positive = scores[order], true[order] == 1
    # The first row of each level but the lowest: from there on the second class is predicted.
    starts = np.flatnonzero(ordered[1:] > ordered[:-1]) + 1
    if not len(starts):
        return 0.5
    middles = (ordered[starts] + ordered[starts - 1]) / 2
    below = np.cumsum(positive)[starts - 1]
    found = _OF_COUNTS[metric](
        positive.sum() - below, len(ordered) - starts - (positive.sum() - below), below, starts - below
    )
    best = np.flatnonzero(np.isclose(found, found.max()))
    # Of those that are equally good, the nearest to one half.
    return float(min(middles[best], key=lambda middle: abs(middle - 0.5)))


def _divided(counts: Values, by: Values) -> Values:
    """0 where there is nothing to divide by, as for scikit-learn."""
    return np.divide(counts, by, out=np.zeros(len(counts)), where=by > 0)


def _balanced(
    true_positives: Values, false_positives: Values, false_negatives: Values, true_negatives: Values
) -> Values:
    recalls = [
        _divided(true_positives, true_positives + false_negatives),
        _divided(true_negatives, true_negatives + false_positives),
    ]
    are_there = [true_positives[0] + false_negatives[0] > 0, true_negatives[0] + false_positives[0] > 0]
    found = [recall for recall, is_there in zip(recalls, are_there, strict=True) if is_there]
    return np.asarray(np.mean(found, axis=0))


def _f1(true_positives: Values, false_positives: Values, false_negatives: Values) -> Values:
    return _divided(2 * true_positives, 2 * true_positives + false_positives + false_negatives)


# By the numbers of true and false positives, false and true negatives, of many thresholds at once.
_OF_COUNTS: dict[str, Callable[[Values, Values, Values, Values], Values]] = {
    "accuracy": lambda tp, fp, fn, tn: (tp + tn) / (tp + fp + fn + tn),
    "balanced_accuracy": _balanced,
    "f1": lambda tp, fp, fn, _: _f1(tp, fp, fn),
    "f1_macro": lambda tp, fp, fn, tn: (_f1(tp, fp, fn) + _f1(tn, fn, fp)) / 2,
}
_OF_NUMBERS: dict[str, Any] = {
    "rmse": metrics.root_mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "r2": lambda true, found: metrics.r2_score(true, found) if len(true) > 1 else 0.0,
}
_OF_CLASSES: dict[str, Any] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": _balanced_accuracy,
    "f1_macro": lambda true, found: metrics.f1_score(true, found, average="macro", zero_division=0),
    "precision_macro": lambda true, found: metrics.precision_score(
        true, found, average="macro", zero_division=0
    ),
    "recall_macro": lambda true, found: metrics.recall_score(true, found, average="macro", zero_division=0),
}
_OF_TWO_CLASSES: dict[str, Any] = {
    "precision": lambda true, found: metrics.precision_score(true, found, zero_division=0),
    "recall": lambda true, found: metrics.recall_score(true, found, zero_division=0),
    "f1": lambda true, found: metrics.f1_score(true, found, zero_division=0),
}
