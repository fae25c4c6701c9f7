"""From model.yaml to a scikit-learn estimator."""

import importlib
from collections.abc import Mapping
from typing import Any

from sklearn.pipeline import Pipeline

from ml_code.spec import Choice, IntegerRange, ModelSpec, SpecError


def build_estimator(spec: ModelSpec, searched: Mapping[str, Any]) -> Pipeline:
    """The unfitted estimator behind its scaler, with `searched` beside the fixed hyperparameters."""
    estimator = _instance("estimator", spec.estimator, {**spec.hyperparameters, **searched}, spec.seed)
    if not hasattr(estimator, "predict_proba"):
        raise SpecError(f"estimator is {spec.estimator!r}; allowed: a classifier with predict_proba")
    steps = [("estimator", estimator)]
    if spec.scaler is not None:
        steps.insert(0, ("scaler", _instance("scaler", spec.scaler, {}, spec.seed)))
    return Pipeline(steps)


def parse_searched(spec: ModelSpec, texts: Mapping[str, str]) -> dict[str, Any]:
    """A tuning job hands every hyperparameter over as text."""
    return {name: _parse(spec, name, texts[name]) for name in spec.search}


def _parse(spec: ModelSpec, name: str, text: str) -> int | float | str:
    found = spec.search[name]
    if isinstance(found, Choice):
        return text
    return int(text) if isinstance(found, IntegerRange) else float(text)


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
    return made
