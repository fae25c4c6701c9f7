"""Pictures of predictions beside the truth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

WRONG = "#d62728"
LINE = "#1f77b4"
_MANY_CLASSES = 25
_SMALLEST_INCHES = 5.0
_MOST_DOTS = 50_000


def draw_predictions(
    classes: Sequence[Any], truth: Sequence[Any], predicted: Sequence[Any], probabilities: Any = None
) -> Figure:
    """The figure that fits the task; a regression has no `classes`. `probabilities` are of all classes."""
    if not classes:
        return _draw_numbers(truth, predicted)
    is_scored = len(classes) == 2 and probabilities is not None
    return _draw_classes(classes, truth, predicted, np.asarray(probabilities)[:, 1] if is_scored else None)


def _draw_classes(
    classes: Sequence[Any],
    truth: Sequence[Any],
    predicted: Sequence[Any],
    scores: NDArray[np.float64] | None = None,
) -> Figure:
    """The confusion matrix; of two classes, with the probabilities of the second, precision against recall and ROC, too."""
    side = max(_SMALLEST_INCHES, 0.45 * len(classes) + 2)
    if scores is None or len(set(truth)) < 2:
        figure = Figure(figsize=(max(side + 1.5, 8.0), side), layout="constrained")
        _confusion_matrix(figure.subplots(), classes, truth, predicted)
        return figure
    figure = Figure(figsize=(15, _SMALLEST_INCHES), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _confusion_matrix(left, classes, truth, predicted)
    _curves(middle, right, classes, truth, predicted, scores)
    return figure


def _confusion_matrix(
    axes: Axes, classes: Sequence[Any], truth: Sequence[Any], predicted: Sequence[Any]
) -> None:
    labels = [*classes, *sorted({*truth, *predicted} - set(classes), key=str)]
    place = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    for true, found in zip(truth, predicted, strict=True):
        counts[place[true], place[found]] += 1
    # Of the rows of each class: one that is rare is as visible as the others.
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    turned = 90 if max(len(str(label)) for label in labels) * len(labels) > 60 else 0
    axes.set_xticks(range(len(labels)), [str(label) for label in labels], rotation=turned)
    axes.set_yticks(range(len(labels)), [str(label) for label in labels])
    axes.set(xlabel="predicted", ylabel="true", title="rows; the darker, the more of the class")
    if len(labels) > _MANY_CLASSES:
        return
    for (row, column), count in np.ndenumerate(counts):
        if count:
            is_dark = shares[row, column] > 0.5
            color = "white" if is_dark else WRONG if row != column else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=color)


def _curves(
    left: Axes,
    right: Axes,
    classes: Sequence[Any],
    truth: Sequence[Any],
    predicted: Sequence[Any],
    scores: NDArray[np.float64],
) -> None:
    from sklearn import metrics

    positive = classes[1]
    true = np.array([label == positive for label in truth])
    found = np.array([label == positive for label in predicted])
    precision, recall, _ = metrics.precision_recall_curve(true, scores)
    left.step(recall, precision, where="post", color=LINE)
    left.axhline(true.mean(), color="gray", linestyle="--", linewidth=0.8)
    left.text(0.0, float(true.mean()) + 0.01, "by chance", color="gray", ha="left", va="bottom")
    area = metrics.average_precision_score(true, scores)
    left.set(xlabel="recall", ylabel="precision", title=f"{positive}: average precision {area:.3f}")
    false_positives, true_positives, _ = metrics.roc_curve(true, scores)
    right.plot(false_positives, true_positives, color=LINE)
    right.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=0.8)
    area = metrics.roc_auc_score(true, scores)
    right.set(
        xlabel="false positive rate", ylabel="true positive rate", title=f"{positive}: ROC AUC {area:.3f}"
    )
    decided: dict[str, Any] = {"marker": "o", "color": WRONG, "linestyle": "none", "label": "as decided"}
    right.plot((found & ~true).sum() / (~true).sum(), (found & true).sum() / true.sum(), **decided)
    if found.any():
        left.plot((found & true).sum() / true.sum(), (found & true).sum() / found.sum(), **decided)
    for axes in (left, right):
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    left.legend(loc="upper right")
    right.legend(loc="lower right")


def _draw_numbers(truth: Sequence[Any], predicted: Sequence[Any]) -> Figure:
    """Predicted against true, and the residuals."""
    true, found = np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float)
    figure = Figure(figsize=(13, _SMALLEST_INCHES), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    size = 12 if len(true) < 2000 else 3
    low, high = min(true.min(), found.min()), max(true.max(), found.max())
    step = max(1, len(true) // _MOST_DOTS)
    left.scatter(true[::step], found[::step], s=size, alpha=0.5, color=LINE, linewidths=0)
    left.plot([low, high], [low, high], color="gray", linestyle="--", linewidth=0.8)
    left.set(xlabel="true", ylabel="predicted", title="predicted against true")
    left.set_aspect("equal", adjustable="datalim")
    residuals = found - true
    middle.scatter(found[::step], residuals[::step], s=size, alpha=0.5, color=LINE, linewidths=0)
    middle.axhline(0, color="gray", linestyle="--", linewidth=0.8)
    middle.set(xlabel="predicted", ylabel="predicted - true", title="residuals")
    right.hist(residuals, bins=min(40, max(10, len(true) // 10)), color=LINE, alpha=0.8)
    right.axvline(0, color="gray", linestyle="--", linewidth=0.8)
    right.set(
        xlabel="predicted - true",
        ylabel="rows",
        title=f"mean {residuals.mean():.4g}, deviation {residuals.std():.4g}",
    )
    return figure
