"""Early stopping of a tuning job's training jobs: the rule of medians that AWS documents."""

import statistics
import threading
from itertools import accumulate


class MedianRule:
    """Stops a job whose objective is worse than the median of the running averages that earlier jobs had after as many rounds."""

    def __init__(self, *, maximize: bool) -> None:
        self._sign = 1 if maximize else -1
        self._averages: dict[int, list[float]] = {}
        self._lock = threading.Lock()

    def stops(self, number: int, values: list[float]) -> bool:
        """Whether to stop the job of this number, which has reported these values, the last one just now."""
        count = len(values)
        with self._lock:
            earlier = [
                averages[count - 1]
                for other, averages in self._averages.items()
                if other < number and len(averages) >= count
            ]
        return bool(earlier) and self._sign * values[-1] < self._sign * statistics.median(earlier)

    def learn(self, number: int, values: list[float]) -> None:
        """Keep what a job that has completed reported."""
        with self._lock:
            self._averages[number] = [
                total / count for count, total in enumerate(accumulate(values), start=1)
            ]
