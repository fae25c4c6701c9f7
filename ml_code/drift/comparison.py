"""Whether live inputs have another distribution than the training data, feature by feature.

Two-sample Kolmogorov-Smirnov tests of numbers and dates, chi-squared tests of categories; missing values are a value of
their own. A feature has drifted when both hold: its test is significant after Benjamini and Hochberg's correction for
the number of features, and its statistic is large enough to matter. That is the largest difference between the two shares
of rows at or below any one value; of categories, the share of rows that would have to be of another one.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, false_discovery_control, ks_2samp

from ml_code.table.columns import Column, Schema

# One comparison in a thousand of equal distributions names a feature; the alarm needs two in five windows.
FALSE_DISCOVERY_RATE = 0.001


@dataclass(frozen=True, kw_only=True)
class FeatureDrift:
    name: str
    column: int
    statistic: float
    p_value: float
    """The p-value after the correction for the number of features."""
    has_drifted: bool
    training_mean: float | None
    """The mean of the values that are not missing; None of categories."""
    live_mean: float | None


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
    schema: Schema,
    training: NDArray[np.float64],
    live: NDArray[np.float64],
    *,
    smallest_statistic: float,
) -> Comparison:
    """Test each feature for drift; both arrays have encoded rows of the schema."""
    tests = [_test(column, training[:, place], live[:, place]) for place, column in enumerate(schema.columns)]
    corrected = false_discovery_control([p_value for _, p_value in tests])
    features = [
        FeatureDrift(
            name=name,
            column=column,
            statistic=statistic,
            p_value=float(p_value),
            has_drifted=bool(p_value <= FALSE_DISCOVERY_RATE and statistic >= smallest_statistic),
            training_mean=_mean(schema.columns[column], training[:, column]),
            live_mean=_mean(schema.columns[column], live[:, column]),
        )
        for column, (name, (statistic, _), p_value) in enumerate(
            zip(schema.names, tests, corrected, strict=True)
        )
    ]
    return Comparison(features=tuple(sorted(features, key=lambda feature: -feature.statistic)))


def _test(column: Column, training: NDArray[np.float64], live: NDArray[np.float64]) -> tuple[float, float]:
    """Statistic and p-value."""
    if column.is_category:
        return _test_categories(training, live)
    # Below all others, where a missing value is as far from each of them. The asymptotic p-value: ties, as of grey levels,
    # make it too large, so that it never finds too much.
    first, second = (np.where(np.isnan(values), -np.inf, values) for values in (training, live))
    test = ks_2samp(first, second, method="asymp")
    return float(test.statistic), float(test.pvalue)


def _test_categories(training: NDArray[np.float64], live: NDArray[np.float64]) -> tuple[float, float]:
    first, second = (np.where(np.isnan(values), -1, values) for values in (training, live))
    categories = np.unique(np.concatenate([first, second]))
    counts = np.array([[np.sum(values == each) for each in categories] for values in (first, second)])
    if len(categories) == 1:
        return 0.0, 1.0
    shares = counts / counts.sum(axis=1, keepdims=True)
    statistic = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return statistic, float(chi2_contingency(counts).pvalue)


def _mean(column: Column, values: NDArray[np.float64]) -> float | None:
    if column.is_category or np.isnan(values).all():
        return None
    return float(np.nanmean(values))
