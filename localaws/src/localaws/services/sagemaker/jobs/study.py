"""Bayesian and Hyperband searches: they choose the next values, and the jobs to stop, from earlier results. Optuna does the work."""

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

from localaws.core.errors import Json, ServiceError

# Where Hyperband looks for the most rounds of a job when its configuration has none.
ROUNDS_PARAMETERS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")


class Study:
    """Combinations without end, by Optuna's TPE; with `rounds`, its Hyperband says which jobs to stop.

    Of `parallel` jobs at once, a combination is chosen by the results of all jobs but the last `parallel` - 1, however the
    jobs end: the same seed and results give the same combinations. Jobs that still run count as bad, so that none is tried
    twice at the same time.
    """

    def __init__(
        self,
        ranges: Json,
        seed: int | None,
        *,
        maximize: bool,
        parallel: int,
        rounds: tuple[int, int] | None = None,
    ) -> None:
        """`rounds` are the fewest and the most of a job."""
        import optuna  # about a second, which only these jobs need

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=4, constant_liar=True)
        pruner = (
            optuna.pruners.HyperbandPruner(min_resource=rounds[0], max_resource=rounds[1])
            if rounds
            else optuna.pruners.NopPruner()
        )
        direction = optuna.study.StudyDirection.MAXIMIZE if maximize else optuna.study.StudyDirection.MINIMIZE
        self._study = optuna.create_study(
            study_name="tuning", direction=direction, sampler=sampler, pruner=pruner
        )
        self._states = optuna.trial.TrialState
        self._ranges = ranges
        self._rounds = rounds
        self._parallel = parallel
        self._trials: list[Any] = []
        self._results: dict[int, float | None] = {}
        self._stopped: set[int] = set()
        self._told = 0
        self._changed = threading.Condition()

    def combinations(self) -> Iterator[dict[str, str]]:
        while True:
            with self._changed:
                needed = len(self._trials) + 1 - self._parallel
                self._changed.wait_for(partial(self._tell_until, needed))
                trial = self._study.ask()
                self._trials.append(trial)
                values = _suggest(trial, self._ranges)
            yield values

    def learn(self, number: int, value: float | None) -> None:
        """Report the objective of a combination, counted from 1; None for a job that failed or was stopped."""
        with self._changed:
            self._results[number] = value
            self._changed.notify_all()

    def stops(self, number: int, values: list[float]) -> bool:
        """Whether to stop a job that has reported these values, the last one just now."""
        if self._rounds is None:
            return False
        with self._changed:
            trial = self._trials[number - 1]
            trial.report(values[-1], len(values))
            if len(values) >= self._rounds[1] or trial.should_prune():
                self._stopped.add(number)
            return number in self._stopped

    def _tell_until(self, last: int) -> bool:
        """Whether the results up to this number are there; the study learns them in the order of the jobs."""
        while self._told < last and self._told + 1 in self._results:
            self._told += 1
            trial, value = self._trials[self._told - 1], self._results[self._told]
            if value is not None:
                self._study.tell(trial, value)
            else:
                was_stopped = self._told in self._stopped
                self._study.tell(trial, state=self._states.PRUNED if was_stopped else self._states.FAIL)
        return self._told >= last


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


def hyperband_rounds(config: Json, definition: Json) -> tuple[int, int] | None:
    """The fewest and the most rounds of a job; None without Hyperband. ServiceError when the most are unknown."""
    if config["Strategy"] != "Hyperband":
        return None
    given: Json = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
    static: Json = definition.get("StaticHyperParameters", {})
    inferred = next((static[name] for name in ROUNDS_PARAMETERS if static.get(name, "").isdigit()), None)
    most = given.get("MaxResource", inferred)
    if most is None:
        raise ServiceError(
            "ValidationException",
            "Strategy Hyperband needs StrategyConfig.HyperbandStrategyConfig.MaxResource, or one of the static "
            f"hyperparameters {', '.join(ROUNDS_PARAMETERS)}.",
        )
    return given.get("MinResource", 1), int(most)
