"""CloudWatch's datapoints: what services and PutMetricData give, kept by metric and tenth of a second.

moto keeps a list of them, without percentiles, and gives a metric those of any other with more dimensions.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil

TICKS_PER_SECOND = 10
KEPT_TICKS = 36_000  # of each metric: an hour under steady load
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


@dataclass(frozen=True)
class Metric:
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()


def metric(namespace: str, name: str, dimensions: Mapping[str, str]) -> Metric:
    return Metric(namespace, name, frozenset(dimensions.items()))


@dataclass
class Summary:
    """The datapoints of one period."""

    values: Counter[float] = field(default_factory=Counter)
    # Statistic sets, which have no percentiles.
    set_count: float = 0.0
    set_sum: float = 0.0
    extremes: list[float] = field(default_factory=list)

    @property
    def count(self) -> float:
        return self.set_count + self.values.total()

    def add(self, other: "Summary") -> None:
        self.values.update(other.values)
        self.set_count += other.set_count
        self.set_sum += other.set_sum
        self.extremes += other.extremes

    def statistic(self, name: str) -> float | None:
        """The statistic of the values, None without values; `name` is one of STATISTICS, or a percentile such as p90."""
        if not self.count:
            return None
        total = self.set_sum + sum(value * count for value, count in self.values.items())
        if name == "SampleCount":
            return self.count
        if name == "Sum":
            return total
        if name == "Average":
            return total / self.count
        if name in ("Minimum", "Maximum"):
            found = [*self.values, *self.extremes]
            return min(found) if name == "Minimum" else max(found)
        return None if self.set_count else self._percentile(float(name[1:]))

    def _percentile(self, percent: float) -> float:
        rank = max(1, ceil(percent / 100 * self.values.total()))
        for value in sorted(self.values):
            rank -= self.values[value]
            if rank <= 0:
                return value
        raise AssertionError("a rank is at most the number of values")


def is_percentile(name: str) -> bool:
    return re.fullmatch(r"p(100|\d{1,2}(\.\d{1,10})?)", name) is not None


class MetricStore:
    """All metrics of the account's region. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[Metric, dict[int, Summary]] = {}

    def record(self, values: Iterable[tuple[Metric, float]], at: float | None = None) -> None:
        tick = _tick(time.time() if at is None else at)
        with self._lock:
            for key, value in values:
                self._summary(key, tick).values[value] += 1

    def add(self, key: Metric, summary: Summary, at: float) -> None:
        with self._lock:
            self._summary(key, _tick(at)).add(summary)

    def summary(self, key: Metric, start: float, end: float) -> Summary:
        """A summary of the values from `start` up to `end`, without `end`."""
        found = Summary()
        with self._lock:
            series = self._series.get(key, {})
            first, last = _tick(start), _tick(end)
            ticks = (
                range(first, last) if last - first < len(series) else [t for t in series if first <= t < last]
            )
            for tick in ticks:
                if tick in series:
                    found.add(series[tick])
        return found

    def periods(self, key: Metric, start: float, end: float, seconds: float) -> list[tuple[float, Summary]]:
        """Every period with datapoints, by its beginning; periods begin at multiples of their length."""
        found: dict[float, Summary] = {}
        with self._lock:
            for tick, summary in self._series.get(key, {}).items():
                moment = tick / TICKS_PER_SECOND
                if start <= moment < end:
                    begin = moment // seconds * seconds
                    found.setdefault(begin, Summary()).add(summary)
        return sorted(found.items(), key=lambda item: item[0])

    def metrics(self) -> list[Metric]:
        with self._lock:
            return list(self._series)

    def _summary(self, key: Metric, tick: int) -> Summary:
        series = self._series.setdefault(key, {})
        if tick not in series:
            if len(series) >= KEPT_TICKS:
                del series[min(series)]
            series[tick] = Summary()
        return series[tick]


def _tick(seconds: float) -> int:
    return round(seconds * TICKS_PER_SECOND - 0.5 + 1e-6)
