"""The measurement of a model with the default hyperparameters, by the code of the jobs, and the gate that follows from it."""

import math
import statistics
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from ml_code.jobs.train import train
from ml_code.metrics import measure
from ml_code.spec import ModelSpec
from operations.model_init.task import Task

SPLITS = 8
# One test part is this far below the mean once in a few hundred times.
DEVIATIONS = 3
_LEAST_TOLERANCE = 0.01
# Scores near the best possible lie closer together than those of later data will.
_LEAST_DEVIATION = 0.01


@dataclass(frozen=True)
class Baseline:
    metric: str
    scores: tuple[float, ...]
    """The metric of each of several test parts, drawn anew."""
    guess: float
    """The metric of a model without any column."""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)

    @property
    def deviation(self) -> float:
        return max(_LEAST_DEVIATION, statistics.stdev(self.scores))

    @property
    def threshold(self) -> float:
        """A threshold of two digits, at least what a model without columns reaches."""
        least = math.floor(round((self.mean - DEVIATIONS * self.deviation) * 100, 6)) / 100
        if not self.is_weak:
            return max(least, math.ceil(round(self.guess * 100, 6)) / 100)
        return least if self.metric == "r2" else max(0.0, least)

    @property
    def tolerance(self) -> float:
        """The largest difference between two models that still count as equally good."""
        return max(_LEAST_TOLERANCE, math.ceil(self.deviation * 100) / 100)

    @property
    def is_weak(self) -> bool:
        return self.mean - 2 * self.deviation <= self.guess


def measure_baseline(spec: ModelSpec, task: Task, frame: pd.DataFrame) -> Baseline:
    target = spec.target.name
    scores = []
    # So few rows are not worth the threads, which wait for each other where a machine is busy.
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        for part, test in _random_parts(spec, frame):
            model = train(spec, {}, part)  # no metric of a draft depends on a decision threshold
            scores.append(measure(spec, model, test.drop(columns=target), test[target])[spec.gate.metric])
    return Baseline(spec.gate.metric, tuple(scores), guess(spec.gate.metric, task))


def _random_parts(spec: ModelSpec, frame: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Train and test parts as large as those of a training, but of other rows each time."""
    target = spec.target.name
    frame = frame[spec.training_schema().names]
    for seed in range(SPLITS):
        yield train_test_split(
            frame,
            train_size=spec.split.train,
            test_size=spec.split.test,
            stratify=frame[target].astype(object) if spec.is_classification else None,
            random_state=seed,
        )


def guess(metric: str, task: Task) -> float:
    """The metric of a model that predicts the same for each row."""
    if not task.has_classes:
        return 0.0
    total, most = sum(task.class_counts), max(task.class_counts)
    share = most / total
    return {
        "roc_auc": 0.5,
        "average_precision": task.class_counts[-1] / total,
        "accuracy": share,
        "f1_macro": 2 * share / (1 + share) / len(task.class_counts),
    }[metric]
