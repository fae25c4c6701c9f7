"""The decision threshold: as good as the best of all that could be tried."""

import numpy as np
import pytest

from ml_code.metrics import best_code_threshold, best_threshold, measure_codes
from ml_code.spec.metric_names import THRESHOLD_METRICS


@pytest.mark.parametrize("metric", THRESHOLD_METRICS)
@pytest.mark.parametrize("seed", range(8))
def test_no_other_threshold_is_better(metric: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    true = (random.random(60) < 0.3).astype(np.intp)
    scores = np.clip(true * 0.2 + random.random(60) * 0.8, 0, 1).round(2)  # with ties
    chosen = best_code_threshold(metric, true, scores)
    levels = np.unique(scores)
    tried = {
        middle: measure_codes(metric, true, (scores >= middle).astype(np.intp))
        for middle in (levels[1:] + levels[:-1]) / 2
    }
    best = max(tried.values())
    found = measure_codes(metric, true, (scores >= chosen).astype(np.intp))
    assert found == pytest.approx(best)
    nearest = min(
        (each for each, value in tried.items() if np.isclose(value, best)), key=lambda each: abs(each - 0.5)
    )
    assert chosen == pytest.approx(nearest)


def test_equal_scores_are_decided_at_one_half() -> None:
    scores = np.full((4, 2), 0.5)
    assert best_threshold("f1", ["no", "yes", "no", "yes"], scores, ("no", "yes")) == 0.5
