"""DeploymentConfig of an endpoint: what AWS refuses in it, and the steps that it means."""

from dataclasses import dataclass
from math import ceil

from localaws.core.errors import Json, ServiceError
from localaws.core.validation import refuse_members

DEFAULT_TIMEOUT_SECONDS = 28_800  # the longest allowed


@dataclass(frozen=True)
class Step:
    """A step of an update: the new fleet's share of the requests, and the time of watching the alarms."""

    share: float
    bake_seconds: int  # of AWS
    instances: int
    message: str


@dataclass(frozen=True)
class Rollout:
    """A DeploymentConfig for a fleet of so many instances."""

    steps: list[Step]
    alarms: list[str]
    timeout_seconds: int  # of AWS


def read_rollout(config: Json | None, instance_count: int) -> Rollout:
    """Raise ServiceError for what AWS refuses. No config: all at once, and nothing is watched."""
    if config is None:
        return Rollout([_full(0, instance_count)], [], DEFAULT_TIMEOUT_SECONDS)
    refuse_members(config, {"BlueGreenUpdatePolicy", "AutoRollbackConfiguration"}, "DeploymentConfig")
    policy = config.get("BlueGreenUpdatePolicy", {})
    routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0})
    last = _full(policy.get("TerminationWaitInSeconds", 0), instance_count)
    steps = [*_partial_steps(routing, instance_count), last]
    timeout = policy.get("MaximumExecutionTimeoutInSeconds", DEFAULT_TIMEOUT_SECONDS)
    waiting = sum(step.bake_seconds for step in steps)
    if waiting >= timeout:
        raise _invalid(
            f"MaximumExecutionTimeoutInSeconds ({timeout}) must be larger than the total waiting time of the "
            f"deployment, which is {waiting} seconds."
        )
    alarms = [alarm["AlarmName"] for alarm in config.get("AutoRollbackConfiguration", {}).get("Alarms", [])]
    return Rollout(steps, alarms, timeout)


def _partial_steps(routing: Json, instance_count: int) -> list[Step]:
    kind, wait = routing["Type"], routing["WaitIntervalInSeconds"]
    sizes = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
    for owner, member in sizes.items():
        if (member in routing) != (kind == owner):
            raise _invalid(f"{member} must be given with Type {owner}, and only then; Type is {kind}.")
    if kind == "CANARY":
        share = _share(routing["CanarySize"], "CanarySize", instance_count, low=0.0)
        return [_step(share, wait, instance_count, "canary capacity")]
    if kind == "LINEAR":
        size = _share(routing["LinearStepSize"], "LinearStepSize", instance_count, low=0.1)
        count = ceil(round(1 / size, 6))
        return [_step(size * k, wait, instance_count, "capacity") for k in range(1, count)]
    return []


def _share(size: Json, member: str, instance_count: int, *, low: float) -> float:
    value: int = size["Value"]
    share = value / 100 if size["Type"] == "CAPACITY_PERCENT" else value / instance_count
    if not low <= share <= 0.5:
        allowed = "10-50%" if low else "at most 50%"
        raise _invalid(
            f"{member} must be {allowed} of the variant's total instance count ({instance_count}), "
            f"got {value} of type {size['Type']}."
        )
    if instance_count == 1:  # an instance is not divided
        raise _invalid(
            f"{member} must be at most 50% of the variant's total instance count (1), got {value} of type "
            f"{size['Type']}, which is 1 instance. Use at least 2 instances, or the type ALL_AT_ONCE."
        )
    return share


def _step(share: float, wait: int, instance_count: int, what: str) -> Step:
    instances = max(1, round(share * instance_count))
    text = f"Baking for {wait} seconds (WaitIntervalInSeconds) with traffic enabled on {what} of "
    return Step(share, wait, instances, f"{text}{instances} instance(s).")


def _full(wait: int, instances: int) -> Step:
    text = f"Baking for {wait} seconds (TerminationWaitInSeconds) with traffic enabled on full capacity of "
    return Step(1.0, wait, instances, f"{text}{instances} instance(s).")


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
