"""The metrics that model.yaml may name, as scikit-learn calls them: their tasks, direction and range."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["maximize", "minimize"]
BINARY, CLASSIFICATION, REGRESSION = "binary classification", "classification", "regression"


@dataclass(frozen=True, kw_only=True)
class MetricKind:
    task: str
    direction: Direction = "maximize"
    lowest: float | None = 0.0
    highest: float | None = 1.0
    needs_probabilities: bool = False


METRICS = {
    **{
        name: MetricKind(task=CLASSIFICATION)
        for name in ("accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro")
    },
    "roc_auc": MetricKind(task=CLASSIFICATION, needs_probabilities=True),
    "log_loss": MetricKind(task=CLASSIFICATION, direction="minimize", highest=None, needs_probabilities=True),
    # Of the second class.
    **{name: MetricKind(task=BINARY) for name in ("f1", "precision", "recall")},
    "average_precision": MetricKind(task=BINARY, needs_probabilities=True),
    **{
        name: MetricKind(task=REGRESSION, direction="minimize", highest=None)
        for name in ("rmse", "mae", "pinball")
    },
    "r2": MetricKind(task=REGRESSION, lowest=None),
}
# What a decision threshold can be chosen by: at the others' best, one class is never, or always, predicted.
THRESHOLD_METRICS = ("accuracy", "balanced_accuracy", "f1", "f1_macro")


def names_for(task: str, *, is_binary: bool) -> list[str]:
    return [
        name
        for name, kind in METRICS.items()
        if kind.task == task or (kind.task == BINARY and task == CLASSIFICATION and is_binary)
    ]
