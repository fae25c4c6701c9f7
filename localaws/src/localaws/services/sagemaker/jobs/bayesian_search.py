"""Bayesian search of a tuning job by Optuna's TPE: the next combination, by the measurements so far."""

import threading
from collections.abc import Iterator
from typing import Any

from localaws.core.errors import Json


class BayesianSearch:
    """Combinations without end. Those whose jobs still run count as bad, so that none is tried twice at the same time."""

    def __init__(self, ranges: Json, seed: int | None, *, maximize: bool) -> None:
        import optuna  # about a second, which only these jobs need

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=4, constant_liar=True)
        self._study = optuna.create_study(direction="maximize" if maximize else "minimize", sampler=sampler)
        self._failed = optuna.trial.TrialState.FAIL
        self._ranges = ranges
        self._trials: list[Any] = []
        self._lock = threading.Lock()

    def combinations(self) -> Iterator[dict[str, str]]:
        while True:
            with self._lock:
                trial = self._study.ask()
                self._trials.append(trial)
                values = _suggest(trial, self._ranges)
            yield values

    def learn(self, number: int, value: float | None) -> None:
        """Report the objective of a combination, counted from 1; None for a job that failed."""
        with self._lock:
            trial = self._trials[number - 1]
            if value is None:
                self._study.tell(trial, state=self._failed)
            else:
                self._study.tell(trial, value)


def _suggest(trial: Any, ranges: Json) -> dict[str, str]:
    values: dict[str, str] = {}
    for item in ranges.get("ContinuousParameterRanges", []):
        name, low, high = item["Name"], float(item["MinValue"]), float(item["MaxValue"])
        scaling = item.get("ScalingType", "Auto")
        if scaling == "ReverseLogarithmic":
            values[name] = str(1 - trial.suggest_float(name, 1 - high, 1 - low, log=True))
        else:
            values[name] = str(trial.suggest_float(name, low, high, log=scaling == "Logarithmic"))
    for item in ranges.get("IntegerParameterRanges", []):
        name, low, high = item["Name"], int(item["MinValue"]), int(item["MaxValue"])
        is_logarithmic = item.get("ScalingType") == "Logarithmic"
        values[name] = str(trial.suggest_int(name, low, high, log=is_logarithmic))
    for item in ranges.get("CategoricalParameterRanges", []):
        values[item["Name"]] = trial.suggest_categorical(item["Name"], item["Values"])
    return values
