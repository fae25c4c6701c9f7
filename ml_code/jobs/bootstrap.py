"""A paired bootstrap of the test part: the interval of the difference between two models.

Rows are drawn with replacement, the same ones for both models, and both are measured on them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ml_code.spec import Gate

RESAMPLES = 500
# Of the resamples, from the worst: between them lie nine of ten.
LOW, HIGH = 0.05, 0.95

Measure = Callable[[NDArray[np.intp]], float | None]


def improvement_interval(
    gate: Gate, candidate: Measure, production: Measure, *, rows: int, seed: int
) -> tuple[float, float] | None:
    """The interval of the candidate's improvement over production, in the direction of the gate's metric.

    None when the metric is defined on no resample.
    """
    random = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, rows, rows)
        value, before = candidate(drawn), production(drawn)
        if value is not None and before is not None:
            found.append(gate.improvement(value, before))
    if not found:
        return None
    low, high = np.quantile(found, [LOW, HIGH])
    return round(float(low), 6), round(float(high), 6)
