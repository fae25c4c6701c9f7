"""Estimates what the jobs of one training cost, by SageMaker's record of it and a list of prices."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_code.release.training_record import defined_steps, executed_steps

_PRICES: Mapping[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))


def estimate_cost(sagemaker: Any, execution_arn: str) -> str:
    """Return the estimate as a sentence: an upper bound, as if all parallel training jobs ran as long as the tuning."""
    instances = _instances(list(defined_steps(sagemaker, execution_arn).values()))
    usd, seconds, unknown = 0.0, 0.0, set()
    for name, step in executed_steps(sagemaker, execution_arn).items():
        instance_type, count = instances.get(name, ("", 0))
        if not count or "EndTime" not in step:
            continue
        running = (step["EndTime"] - step["StartTime"]).total_seconds()
        seconds += running
        price = _PRICES["usd_per_instance_hour"].get(instance_type)
        if price is None:
            unknown.add(instance_type)
        else:
            usd += running / 3600 * count * price
    if unknown:
        return f"unknown: no price of {', '.join(sorted(unknown))} in ml_code/release/prices.json"
    return (
        f"at most ${usd:.2f} for {seconds:.0f} s of jobs, by on-demand prices of {_PRICES['region']} "
        f"({_PRICES['date']}); spot and other regions differ"
    )


def _instances(steps: list[dict[str, Any]]) -> dict[str, tuple[str, int]]:
    """The type and the largest number of instances of each step that has jobs."""
    found = {}
    for step in _flat(steps):
        arguments = step.get("Arguments", {})
        if step.get("Type") == "Processing":
            cluster = arguments["ProcessingResources"]["ClusterConfig"]
            found[step["Name"]] = (cluster["InstanceType"], cluster["InstanceCount"])
        elif step.get("Type") == "Tuning":
            resources = arguments["TrainingJobDefinition"]["ResourceConfig"]
            limits = arguments["HyperParameterTuningJobConfig"]["ResourceLimits"]
            count = resources["InstanceCount"] * limits["MaxParallelTrainingJobs"]
            found[step["Name"]] = (resources["InstanceType"], count)
    return found


def _flat(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps, with those that a condition starts."""
    branches = [
        branch for step in steps for branch in (step.get("Arguments", {}).get("IfSteps") or [])
    ]  # of the gate
    return [*steps, *branches]
