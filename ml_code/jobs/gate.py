"""Whether a model is good enough: by itself, and beside the version in production."""

from typing import Any

from ml_code.jobs.production_baseline import ProductionBaseline
from ml_code.spec import Gate


def evaluate_gate(
    gate: Gate, metrics: dict[str, float], baseline: ProductionBaseline | None
) -> dict[str, Any]:
    """The values by which the pipeline's gate decides, and the sentence for people."""
    value = metrics[gate.metric]
    # The first model has no baseline: it is no worse than nothing.
    improvement = gate.improvement(value, baseline.value) if baseline else 0.0
    return {
        "metric": gate.metric,
        "value": value,
        "threshold": gate.threshold,
        "production_version": baseline.version if baseline else None,
        "production_value": baseline.value if baseline else None,
        "improvement": improvement,
        "tolerance": gate.tolerance,
        "mode": gate.mode,
        "passed": gate.reached(metrics) and improvement >= -gate.tolerance,
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
    return f"{measured}, {production} on the same rows."
