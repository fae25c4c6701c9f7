"""From model.yaml to a scikit-learn estimator."""

import importlib
from collections.abc import Mapping
from typing import Any

from sklearn.pipeline import Pipeline

from ml_code.spec import ModelSpec, SpecError


def build_estimator(spec: ModelSpec, searched: Mapping[str, Any]) -> Pipeline:
    """The unfitted estimator behind its scaler, with `searched` beside the fixed hyperparameters.

    SpecError names the parameter that scikit-learn refuses.
    """
    estimator = _instance("estimator", spec.estimator, {**spec.hyperparameters, **searched}, spec.seed)
    if not hasattr(estimator, "predict_proba"):
        raise SpecError(f"estimator is {spec.estimator!r}; allowed: a classifier with predict_proba")
    steps = [("estimator", estimator)]
    if spec.scaler is not None:
        steps.insert(0, ("scaler", _instance("scaler", spec.scaler, {}, spec.seed)))
    return Pipeline(steps)


def parse_searched(spec: ModelSpec, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """What was searched, of a training job's hyperparameters: SM_HPS has them as JSON."""
    missing = [name for name in spec.search if name not in hyperparameters]
    if missing:
        raise SpecError(f"the training job has no hyperparameter {missing[0]!r}, which model.yaml searches")
    return {name: found.decode(hyperparameters[name]) for name, found in spec.search.items()}


def check_search(spec: ModelSpec) -> None:
    """Build the estimator at the ends of each range and with each choice; SpecError when it refuses one."""
    middle = {name: found.samples()[-1] for name, found in spec.search.items()}
    for name, found in spec.search.items():
        for value in found.samples():
            build_estimator(spec, {**middle, name: value})


def _instance(field: str, path: str, arguments: Mapping[str, Any], seed: int) -> Any:
    module_name, _, class_name = path.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise SpecError(f"{field} is {path!r}; allowed: the import path of a scikit-learn class") from error
    try:
        made = kind(**arguments)
    except TypeError as error:
        raise SpecError(f"hyperparameters do not fit {path}: {error}") from error
    if "random_state" in made.get_params() and "random_state" not in arguments:
        made.set_params(random_state=seed)
    try:
        made._validate_params()  # noqa: SLF001 - what fit() does first
    except ValueError as error:
        raise SpecError(f"hyperparameters do not fit {path}: {error}") from None
    return made
