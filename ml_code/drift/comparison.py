"""Whether live inputs have another distribution than the training data, feature by feature.

Two-sample Kolmogorov-Smirnov tests. A feature has drifted when both hold: its test is significant after
Benjamini and Hochberg's correction for the number of features, and its statistic, the largest difference
between the two shares of rows at or below any one value, is large enough to matter.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, ks_2samp

# One comparison in a thousand of equal distributions names a feature; the alarm wants two in five windows.
FALSE_DISCOVERY_RATE = 0.001


@dataclass(frozen=True, kw_only=True)
class FeatureDrift:
    name: str
    column: int
    statistic: float
    p_value: float
    """Corrected."""
    has_drifted: bool
    training_mean: float
    live_mean: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    features: tuple[FeatureDrift, ...]
    """The most different first."""

    @property
    def drifted(self) -> list[str]:
        return [feature.name for feature in self.features if feature.has_drifted]

    @property
    def largest_statistic(self) -> float:
        return self.features[0].statistic

    def to_dict(self) -> dict[str, Any]:
        return {"drifted": self.drifted, "features": [asdict(feature) for feature in self.features]}


def compare(
    names: Sequence[str],
    training: NDArray[np.float64],
    live: NDArray[np.float64],
    *,
    smallest_statistic: float,
) -> Comparison:
    """Both arrays have a column for each name, and rows."""
    # The asymptotic p-value: ties, as of grey levels, make it too large, so that it never finds too much.
    tests = [ks_2samp(training[:, column], live[:, column], method="asymp") for column in range(len(names))]
    corrected = false_discovery_control([test.pvalue for test in tests])
    features = [
        FeatureDrift(
            name=name,
            column=column,
            statistic=float(test.statistic),
            p_value=float(p_value),
            has_drifted=bool(p_value <= FALSE_DISCOVERY_RATE and test.statistic >= smallest_statistic),
            training_mean=float(training[:, column].mean()),
            live_mean=float(live[:, column].mean()),
        )
        for column, (name, test, p_value) in enumerate(zip(names, tests, corrected, strict=True))
    ]
    return Comparison(features=tuple(sorted(features, key=lambda feature: -feature.statistic)))
