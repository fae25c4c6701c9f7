"""Whether a model is good enough: by itself, and beside the version in production."""

from typing import Any

from ml_code.jobs.bootstrap import HIGH, RESAMPLES
from ml_code.jobs.production_baseline import ProductionBaseline
from ml_code.spec import Gate

RULE = (
    "A model passes when it reaches the threshold, unless it is worse than the version in production by more than the "
    f"tolerance and this is not by chance: it is worse in {HIGH:.0%} of {RESAMPLES} paired resamples of the test part."
)


def evaluate_gate(
    gate: Gate,
    metrics: dict[str, float],
    baseline: ProductionBaseline | None,
    interval: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Return the values for the pipeline's gate step, and the sentence for people.

    `interval` is that of the improvement over the baseline, by a bootstrap.
    """
    value = metrics[gate.metric]
    # The first model has no baseline: it is no worse than nothing.
    improvement = gate.improvement(value, baseline.value) if baseline else 0.0
    low, high = interval or (improvement, improvement)
    is_by_chance = improvement < 0 <= high
    beyond_chance = 0.0 if is_by_chance else improvement
    return {
        "metric": gate.metric,
        "value": value,
        "threshold": gate.threshold,
        "production_version": baseline.version if baseline else None,
        "production_value": baseline.value if baseline else None,
        "improvement": improvement,
        "improvement_low": low,
        "improvement_high": high,
        "improvement_beyond_chance": beyond_chance,
        "rule": RULE,
        "tolerance": gate.tolerance,
        "mode": gate.mode,
        "passed": gate.reached(metrics) and beyond_chance >= -gate.tolerance,
    }


def gate_status(gate_result: dict[str, Any]) -> str:
    """The gate's decision as a tag."""
    if gate_result["mode"] == "disabled":
        return "disabled"
    word = "passed" if gate_result["passed"] else "failed"
    return word if gate_result["mode"] == "enabled" else f"{word} (dry run)"


def gate_message(gate_result: dict[str, Any], rows: int) -> str:
    measured = f"{gate_result['metric']} on {rows} test rows is {gate_result['value']:.4f}"
    if gate_result["production_version"] is None:
        return f"{measured}."
    production = (
        f"version {gate_result['production_version']} in production has {gate_result['production_value']:.4f}"
    )
    low, high = gate_result["improvement_low"], gate_result["improvement_high"]
    return f"{measured}, {production} on the same rows; the improvement is within {low:.4f} and {high:.4f}."
