"""The values that a tuning job tries: random search and grid search over parameter ranges."""

import itertools
import math
import random
from collections.abc import Iterator

from localaws.core.errors import Json, ServiceError

NAN_FREE_TRIES = 50  # draws before a repeated combination is accepted: a small space may be used up


def check_ranges(ranges: Json) -> None:
    """Raise ServiceError for ranges that AWS refuses."""
    for kind, number in (("IntegerParameterRanges", int), ("ContinuousParameterRanges", float)):
        for item in ranges.get(kind, []):
            try:
                low, high = number(item["MinValue"]), number(item["MaxValue"])
            except ValueError as error:
                raise ServiceError(
                    "ValidationException", f"The range of hyperparameter {item['Name']!r} is invalid: {error}"
                ) from error
            if low > high:
                raise ServiceError(
                    "ValidationException",
                    f"MinValue of hyperparameter {item['Name']!r} must not exceed MaxValue: {low} > {high}.",
                )
            scaling = item.get("ScalingType", "Auto")
            if scaling == "Logarithmic" and low <= 0:
                raise ServiceError(
                    "ValidationException", f"{item['Name']!r}: Logarithmic scaling needs a MinValue above 0."
                )
            if scaling == "ReverseLogarithmic" and (number is int or low < 0 or high >= 1):
                raise ServiceError(
                    "ValidationException",
                    f"{item['Name']!r}: ReverseLogarithmic scaling is for continuous ranges within 0 <= x < 1.",
                )


def random_combinations(ranges: Json, seed: int | None) -> Iterator[dict[str, str]]:
    """Endless; the same seed gives the same values in the same order."""
    generator = random.Random(seed)  # noqa: S311 - a search, no secret
    seen: set[tuple[tuple[str, str], ...]] = set()
    while True:
        for _ in range(NAN_FREE_TRIES):
            combination = _draw(ranges, generator)
            key = tuple(sorted(combination.items()))
            if key not in seen:
                break
        seen.add(key)
        yield combination


def grid_combinations(ranges: Json) -> Iterator[dict[str, str]]:
    """Every combination of the categorical values, once."""
    items = ranges.get("CategoricalParameterRanges", [])
    names = [item["Name"] for item in items]
    for values in itertools.product(*(item["Values"] for item in items)):
        yield dict(zip(names, values, strict=True))


def _draw(ranges: Json, generator: random.Random) -> dict[str, str]:
    values: dict[str, str] = {}
    for item in ranges.get("ContinuousParameterRanges", []):
        low, high = float(item["MinValue"]), float(item["MaxValue"])
        values[item["Name"]] = str(_scaled(low, high, item.get("ScalingType", "Auto"), generator.random()))
    for item in ranges.get("IntegerParameterRanges", []):
        low, high = int(item["MinValue"]), int(item["MaxValue"])
        # Half a step more at both ends gives the ends the same chance as the others.
        linear = item.get("ScalingType", "Auto") != "Logarithmic"
        start, end = (low - 0.5, high + 0.5) if linear else (low * 1.0, high * 1.0)
        drawn = round(_scaled(start, end, item.get("ScalingType", "Auto"), generator.random()))
        values[item["Name"]] = str(min(max(drawn, low), high))
    for item in ranges.get("CategoricalParameterRanges", []):
        values[item["Name"]] = generator.choice(item["Values"])
    return values


def _scaled(low: float, high: float, scaling: str, fraction: float) -> float:
    """A value between low and high; Auto is linear here."""
    if scaling == "Logarithmic":
        value = math.exp(math.log(low) + fraction * (math.log(high) - math.log(low)))
    elif scaling == "ReverseLogarithmic":
        value = 1 - math.exp(math.log(1 - high) + fraction * (math.log(1 - low) - math.log(1 - high)))
    else:
        value = low + fraction * (high - low)
    return min(max(value, low), high)
