"""What a Bayesian search tries next."""

import itertools
import math

from localaws.services.sagemaker.jobs.bayesian_search import BayesianSearch

RANGES = {
    "ContinuousParameterRanges": [
        {"Name": "rate", "MinValue": "0.0001", "MaxValue": "1", "ScalingType": "Logarithmic"},
        {"Name": "momentum", "MinValue": "0.5", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
    ],
    "IntegerParameterRanges": [{"Name": "depth", "MinValue": "1", "MaxValue": "9"}],
    "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b"]}],
}


def objective(values: dict[str, str]) -> float:
    """Best, with 0, at a rate of 0.01 and a depth of 5."""
    return -abs(math.log10(float(values["rate"])) + 2) - abs(int(values["depth"]) - 5) / 4


def search(seed: int, *, maximize: bool = True) -> list[float]:
    found, measured = BayesianSearch(RANGES, seed, maximize=maximize), []
    for number, values in enumerate(itertools.islice(found.combinations(), 30), start=1):
        assert 0.0001 <= float(values["rate"]) <= 1
        assert 0.5 <= float(values["momentum"]) <= 0.999
        assert values["kind"] in ("a", "b")
        value = objective(values)
        measured.append(value)
        found.learn(number, value if maximize else -value)
    return measured


def test_later_combinations_are_better_in_either_direction() -> None:
    for maximize in (True, False):
        measured = search(1, maximize=maximize)
        assert sum(measured[-10:]) > sum(measured[:10]) + 3


def test_the_same_seed_tries_the_same() -> None:
    assert search(7) == search(7) != search(8)


def test_a_failed_job_ends_no_search() -> None:
    found = BayesianSearch(RANGES, 1, maximize=True)
    combinations = found.combinations()
    for number in range(1, 8):
        next(combinations)
        found.learn(number, None if number % 2 else 1.0)
    running = [next(combinations) for _ in range(3)]
    assert len({str(values) for values in running}) == 3
