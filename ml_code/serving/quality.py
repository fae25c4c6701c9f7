"""The gate's metric of an endpoint's answers."""

from typing import Any

from numpy.typing import NDArray


def measure(metric: str, truth: NDArray[Any], predictions: Any) -> float:
    from sklearn import metrics  # a second, which a refused release need not wait

    if metric == "accuracy":
        return float(metrics.accuracy_score(truth, predictions))
    if metric == "balanced_accuracy":
        return float(metrics.balanced_accuracy_score(truth, predictions))
    score = getattr(metrics, f"{metric.removesuffix('_macro')}_score")
    return float(score(truth, predictions, average="macro", zero_division=0))
