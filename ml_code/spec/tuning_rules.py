"""Rules of a search: the strategies that fit the estimator and the ranges."""

import math
from collections.abc import Mapping
from itertools import chain
from typing import Any

from ml_code.estimators.libraries import LIBRARIES, library_of
from ml_code.search_space import Choice, SearchRange
from ml_code.spec.sections import MOST_JOBS, MOST_ROUNDS, Tuning

Search = Mapping[str, SearchRange]


def can_report(estimator: str) -> bool:
    return bool(library_of(estimator).round_parameters)


def most_rounds(estimator: str, hyperparameters: Mapping[str, Any], search: Search) -> int:
    """The rounds of the longest training job."""
    library = library_of(estimator)
    fixed = [hyperparameters[name] for name in library.round_parameters if name in hyperparameters]
    searched = [search[name].samples() for name in library.round_parameters if name in search]
    given = [value for value in (*fixed, *chain(*searched)) if isinstance(value, int)]
    return max(given, default=library.default_rounds)


def grid_size(search: Search) -> int:
    return math.prod(len(found.samples()) for found in search.values())


def check_tuning(tuning: Tuning, estimator: str, hyperparameters: Mapping[str, Any], search: Search) -> None:
    """Raise ValueError, in one sentence, for a search that a tuning job would refuse."""
    if tuning.stops_jobs and not can_report(estimator):
        why = "strategy is Hyperband" if tuning.strategy == "Hyperband" else "early_stopping is true"
        known = [library.package for library in LIBRARIES.values() if library.round_parameters]
        raise ValueError(
            f"tuning.{why}, and {estimator} does not report while it learns; allowed: with an estimator of "
            f"{', '.join(known)}"
        )
    if tuning.strategy == "Hyperband":
        most = most_rounds(estimator, hyperparameters, search)
        if not (tuning.min_rounds or 1) <= most <= MOST_ROUNDS - 2:
            raise ValueError(
                f"a training job has at most {most:,} rounds; allowed with Hyperband: from tuning.min_rounds to "
                f"{MOST_ROUNDS - 2:,}"
            )
    if tuning.strategy == "Grid":
        _check_grid(tuning, search)


def _check_grid(tuning: Tuning, search: Search) -> None:
    ranges = [name for name, found in search.items() if not isinstance(found, Choice)]
    if ranges:
        raise ValueError(
            f"search.{ranges[0]} is a range, and tuning.strategy is Grid; allowed: type categorical, with values"
        )
    size = grid_size(search)
    if size > MOST_JOBS:
        raise ValueError(f"search has {size:,} combinations; allowed with Grid: {MOST_JOBS}")
    if tuning.max_jobs not in (None, size):
        raise ValueError(
            f"tuning.max_jobs is {tuning.max_jobs}; allowed with Grid: {size}, the number of combinations, or none"
        )
