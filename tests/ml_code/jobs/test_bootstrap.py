"""Which differences between two models the bootstrap takes for chance."""

import numpy as np
import pytest

from ml_code.jobs.bootstrap import improvement_interval
from ml_code.jobs.gate import evaluate_gate
from ml_code.jobs.production_baseline import ProductionBaseline
from ml_code.metrics import measure_gate
from ml_code.spec import Gate, ModelSpec

GATE = Gate(metric="accuracy", threshold=0.5, tolerance=0.02)


def interval(spec: ModelSpec, rows: int, wrong: int, wrong_before: int) -> tuple[float, float]:
    """Of two models that are wrong in different rows."""
    truth = np.arange(rows) % 10
    found, before = truth.copy(), truth.copy()
    found[:wrong] = (found[:wrong] + 1) % 10
    before[rows - wrong_before :] = (before[rows - wrong_before :] + 1) % 10
    candidate, production = (measure_gate(spec, truth, each, None) for each in (found, before))
    found_interval = improvement_interval(GATE, candidate, production, rows=rows, seed=1)
    assert found_interval is not None
    return found_interval


@pytest.mark.parametrize(
    ("rows", "wrong", "wrong_before", "passes"),
    [
        (400, 20, 20, True),  # as good
        (400, 26, 16, True),  # 2.5 points worse, which chance can make of so few rows
        (400, 40, 20, False),  # 5 points worse
        (40_000, 4_000, 2_000, False),  # 5 points worse, for sure
        (40_000, 2_400, 2_000, True),  # 1 point worse, for sure, which is tolerated
    ],
)
def test_a_model_fails_that_is_worse_for_sure(
    spec: ModelSpec, rows: int, wrong: int, wrong_before: int, passes: bool
) -> None:
    found = interval(spec, rows, wrong, wrong_before)
    baseline = ProductionBaseline(version="1", value=1 - wrong_before / rows)
    gate_result = evaluate_gate(GATE, {"accuracy": 1 - wrong / rows}, baseline, found)
    assert gate_result["passed"] is passes
    assert found[0] <= gate_result["improvement"] <= found[1]
    assert "paired resamples" in gate_result["rule"]


def test_the_same_model_is_the_same_in_every_resample(spec: ModelSpec) -> None:
    truth = np.arange(100) % 10
    measure = measure_gate(spec, truth, truth, None)
    assert improvement_interval(GATE, measure, measure, rows=100, seed=1) == (0, 0)


def test_a_metric_that_no_resample_has_gives_no_interval() -> None:
    assert improvement_interval(GATE, lambda _: None, lambda _: None, rows=10, seed=1) is None
