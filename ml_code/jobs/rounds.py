"""The objective on the validation part after each round of an estimator that reports while it learns."""

from typing import Any

import numpy as np
import pandas as pd

from ml_code.estimators.model import Checked
from ml_code.metrics import best_code_threshold, measure_codes, measure_number, measure_scores
from ml_code.spec import METRICS, ModelSpec


class RoundReport:
    """Prints the line that a tuning job reads, and returns the objective as a loss.

    The classes of two are decided as the finished model's: from the threshold that is the best on these rows.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def __call__(self, truth: Any, predicted: Any) -> float:
        objective = self.spec.objective
        value = self._measure(np.asarray(truth), np.asarray(predicted, dtype=np.float64))
        print(objective.log_line(value), flush=True)
        return value if objective.is_minimized else -value

    def _measure(self, truth: Any, predicted: Any) -> float:
        spec, metric = self.spec, self.spec.objective.metric
        if not spec.is_classification:
            return measure_number(spec, metric, truth, predicted)
        codes = truth.astype(np.intp)
        scores = np.column_stack([1 - predicted, predicted]) if predicted.ndim == 1 else predicted
        if METRICS[metric].needs_probabilities:
            return measure_scores(metric, codes, scores)
        return measure_codes(metric, codes, self._decide(codes, scores))

    def _decide(self, codes: Any, scores: Any) -> Any:
        spec = self.spec
        if not spec.is_binary:
            return scores.argmax(axis=1)
        threshold = spec.decision_threshold
        if not isinstance(threshold, float):
            assert spec.threshold_metric is not None
            threshold = best_code_threshold(spec.threshold_metric, codes, scores[:, 1])
        return (scores[:, 1] >= threshold).astype(np.intp)


def checked_rows(spec: ModelSpec, validation: pd.DataFrame) -> Checked | None:
    """The rows to report on, if the search or the estimator stops early."""
    stops_itself = any("early_stopping" in name for name in (*spec.hyperparameters, *spec.search))
    if not spec.can_report or not (spec.tuning.stops_jobs or stops_itself):
        return None
    target = spec.target.name
    return Checked(validation.drop(columns=target), validation[target], RoundReport(spec))
