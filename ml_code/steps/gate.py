"""Whether a model is good enough: by itself, and beside the version in production."""

from typing import Any

from ml_code.spec import Gate
from ml_code.steps.rival import Rival


def judge(gate: Gate, metrics: dict[str, float], rival: Rival | None) -> dict[str, Any]:
    """What the pipeline's gate decides by, and what people read about it."""
    value = metrics[gate.metric]
    # The first model has no rival: it is no worse than nothing. Rounded as people see it, for 0.98 - 0.97 is not 0.01.
    improvement = round(value - rival.value, 6) if rival else 0.0
    return {
        "metric": gate.metric,
        "value": value,
        "threshold": gate.threshold,
        "production_version": rival.version if rival else None,
        "production_value": rival.value if rival else None,
        "improvement": improvement,
        "tolerance": gate.tolerance,
        "mode": gate.mode,
        "passed": gate.reached(metrics) and improvement >= -gate.tolerance,
    }


def verdict(judged: dict[str, Any]) -> str:
    """The gate's decision as a tag."""
    if judged["mode"] == "disabled":
        return "disabled"
    word = "passed" if judged["passed"] else "failed"
    return word if judged["mode"] == "enabled" else f"{word} (dry run)"


def sentence(judged: dict[str, Any], rows: int) -> str:
    measured = f"{judged['metric']} on {rows} test rows is {judged['value']:.4f}"
    if judged["production_version"] is None:
        return f"{measured}."
    production = f"version {judged['production_version']} in production has {judged['production_value']:.4f}"
    return f"{measured}, {production} on the same rows."
