"""What a search that learns tries next, and which jobs it stops."""

import itertools
import math

from localaws.services.sagemaker.jobs.early_stopping import MedianRule
from localaws.services.sagemaker.jobs.study import Study

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
    found, measured = Study(RANGES, seed, maximize=maximize, parallel=1), []
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
    found = Study(RANGES, 1, maximize=True, parallel=3)
    combinations = found.combinations()
    for number in range(1, 8):
        next(combinations)
        found.learn(number, None if number % 2 else 1.0)
    running = [next(combinations) for _ in range(3)]
    assert len({str(values) for values in running}) == 3


def test_the_order_in_which_parallel_jobs_end_changes_nothing() -> None:
    def tried(order: tuple[int, int]) -> list[dict[str, str]]:
        found = Study(RANGES, 5, maximize=True, parallel=2)
        combinations = found.combinations()
        values = [next(combinations), next(combinations)]
        for first in range(1, 12, 2):
            for number in (first + order[0], first + order[1]):
                found.learn(number, objective(values[number - 1]))
            values += [next(combinations), next(combinations)]
        return values

    assert tried((0, 1)) == tried((1, 0))


def test_hyperband_stops_the_bad_ones_after_the_fewest_rounds() -> None:
    found = Study(RANGES, 3, maximize=True, parallel=1, rounds=(3, 27))
    stopped = {}
    for number, _ in enumerate(itertools.islice(found.combinations(), 12), start=1):
        values: list[float] = []
        for count in range(1, 27):
            values.append(-number - 1 / count)  # each is worse than all before
            if found.stops(number, values):
                stopped[number] = count
                break
        found.learn(number, None if number in stopped else values[-1])
    assert 1 not in stopped
    assert len(stopped) >= 6
    assert min(stopped.values()) >= 3


def test_no_job_has_more_rounds_than_the_most() -> None:
    found = Study(RANGES, 3, maximize=True, parallel=1, rounds=(1, 5))
    next(found.combinations())
    assert [found.stops(1, [float(count)] * count) for count in range(1, 6)] == [False] * 4 + [True]


def test_early_stopping_compares_with_the_median_of_running_averages() -> None:
    rule = MedianRule(maximize=False)
    assert not rule.stops(1, [9.0])
    for number, values in ((1, [8.0, 6.0]), (2, [4.0, 2.0]), (3, [6.0, 4.0])):
        rule.learn(number, values)
    # After two rounds the averages are 7, 3 and 5.
    assert not rule.stops(4, [6.0])
    assert not rule.stops(4, [6.0, 5.0])
    assert rule.stops(4, [6.0, 5.1])
    assert not rule.stops(4, [6.0, 5.0, 99.0])  # no earlier job has had three
