"""Estimates of the cost of one training's jobs, before and after it, from a price list."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_code.release.training_record import defined_steps, executed_steps

_PRICES: Mapping[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))


@dataclass(frozen=True, kw_only=True)
class _Jobs:
    """The jobs of one step, as its definition has them."""

    instance_type: str
    instances: int  # of each job
    count: int
    count_at_once: int
    limit_seconds: int  # of each job


def cost_limit(steps: Sequence[Mapping[str, Any]]) -> str:
    """Return what a training with the steps of a pipeline's definition can cost, if each job runs to its time limit."""
    instance_seconds: Counter[str] = Counter()
    for jobs in _jobs(steps).values():
        instance_seconds[jobs.instance_type] += jobs.instances * jobs.count * jobs.limit_seconds
    return f"{_price(instance_seconds)} if each job runs to its time limit, {_source()}"


def cost_of_definition(sagemaker: Any, execution_arn: str) -> str:
    return cost_limit(list(defined_steps(sagemaker, execution_arn).values()))


def estimate_cost(sagemaker: Any, execution_arn: str) -> str:
    """Return the estimate as a sentence: an upper bound, as if all parallel training jobs ran as long as the tuning."""
    defined = _jobs(list(defined_steps(sagemaker, execution_arn).values()))
    instance_seconds: Counter[str] = Counter()
    seconds = {}
    for name, step in executed_steps(sagemaker, execution_arn).items():
        if name not in defined or "EndTime" not in step:
            continue
        jobs = defined[name]
        seconds[name] = (step["EndTime"] - step["StartTime"]).total_seconds()
        instance_seconds[jobs.instance_type] += jobs.instances * jobs.count_at_once * seconds[name]
    steps = ", ".join(f"{name} {taken:.0f} s" for name, taken in seconds.items())
    took = f"{sum(seconds.values()):.0f} s of jobs{f' ({steps})' if steps else ''}"
    return f"{_price(instance_seconds)} for {took}, {_source()}"


def _price(instance_seconds: Mapping[str, float]) -> str:
    prices = _PRICES["usd_per_instance_hour"]
    if unknown := sorted(instance_seconds.keys() - prices.keys()):
        return f"unknown (no price of {', '.join(unknown)} in ml_code/release/prices.json)"
    usd = sum(seconds / 3600 * prices[kind] for kind, seconds in instance_seconds.items())
    return f"at most ${usd:.2f}"


def _source() -> str:
    return f"by on-demand prices of {_PRICES['region']} ({_PRICES['date']}); spot and other regions differ"


def _jobs(steps: Sequence[Mapping[str, Any]]) -> dict[str, _Jobs]:
    """The jobs of each step that has any, also of those that a condition starts."""
    found = {}
    for step in _flat(steps):
        arguments = step.get("Arguments", {})
        if step.get("Type") == "Processing":
            cluster = arguments["ProcessingResources"]["ClusterConfig"]
            count = count_at_once = 1
            limits = arguments["StoppingCondition"]
        elif step.get("Type") == "Tuning":
            training = arguments["TrainingJobDefinition"]
            cluster, limits = training["ResourceConfig"], training["StoppingCondition"]
            tuning = arguments["HyperParameterTuningJobConfig"]
            count, count_at_once = _job_count(tuning), tuning["ResourceLimits"]["MaxParallelTrainingJobs"]
        else:
            continue
        found[step["Name"]] = _Jobs(
            instance_type=cluster["InstanceType"],
            instances=cluster["InstanceCount"],
            count=count,
            count_at_once=count_at_once,
            limit_seconds=limits["MaxRuntimeInSeconds"],
        )
    return found


def _job_count(tuning: Mapping[str, Any]) -> int:
    """The training jobs of a tuning job; of a grid SageMaker counts the combinations itself."""
    if tuning["Strategy"] != "Grid":
        return int(tuning["ResourceLimits"]["MaxNumberOfTrainingJobs"])
    return math.prod(len(each["Values"]) for each in tuning["ParameterRanges"]["CategoricalParameterRanges"])


def _flat(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The steps, with those that a condition starts."""
    branches = [
        branch for step in steps for branch in (step.get("Arguments", {}).get("IfSteps") or [])
    ]  # of the gate
    return [*steps, *branches]
