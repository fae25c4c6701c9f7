"""The estimator that model.yaml names behind its preparation, unfitted."""

import importlib
from collections.abc import Mapping
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from ml_code.estimators.libraries import library_of
from ml_code.estimators.model import TableModel
from ml_code.estimators.preparation import category_places, preparation, prepared_width
from ml_code.spec import ModelSpec, SpecError


def build_model(spec: ModelSpec, searched: Mapping[str, Any]) -> TableModel:
    """The unfitted model, with `searched` beside the fixed hyperparameters.

    SpecError names the parameter that the library refuses.
    """
    schema, library = spec.request_schema(), library_of(spec.estimator)
    library.provide_system_libraries()
    categories = [place for place, _ in category_places(schema)]
    is_native = library.takes_gaps_and_categories(spec.estimator)
    of_columns = library.category_arguments(categories, prepared_width(schema)) if is_native else {}
    arguments = {**of_columns, **spec.hyperparameters, **searched}
    estimator = _instance("estimator", spec.estimator, arguments, spec.seed)
    _check_task(spec, estimator)
    if spec.class_weight is not None and not has_fit_parameter(estimator, "sample_weight"):
        raise SpecError(
            f"class_weight is given, and {spec.estimator} takes no weights; allowed: another estimator"
        )
    scaler = None if spec.scaler is None else _instance("scaler", spec.scaler, {}, spec.seed)
    steps = preparation(schema, scaler, is_native=is_native)
    return TableModel(
        schema,
        Pipeline([*steps, ("estimator", estimator)]),
        classes=spec.classes,
        class_weight=spec.class_weight,
    )


def _check_task(spec: ModelSpec, estimator: Any) -> None:
    if spec.is_classification and not (is_classifier(estimator) and hasattr(estimator, "predict_proba")):
        raise SpecError(f"estimator is {spec.estimator!r}; allowed: a classifier with predict_proba")
    if not spec.is_classification and not is_regressor(estimator):
        raise SpecError(f"estimator is {spec.estimator!r}, and the target is a number; allowed: a regressor")


def parse_searched(spec: ModelSpec, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """The searched ones of a training job's hyperparameters: SM_HPS has them as JSON."""
    missing = [name for name in spec.search if name not in hyperparameters]
    if missing:
        raise SpecError(f"the training job has no hyperparameter {missing[0]!r}, which model.yaml searches")
    return {name: found.decode(hyperparameters[name]) for name, found in spec.search.items()}


def check_search(spec: ModelSpec) -> None:
    """Build the estimator at the ends of each range and with each choice; SpecError when it refuses one."""
    middle = {name: found.samples()[-1] for name, found in spec.search.items()}
    for name, found in spec.search.items():
        for value in found.samples():
            build_model(spec, {**middle, name: value})


def _instance(field: str, path: str, arguments: Mapping[str, Any], seed: int) -> Any:
    module_name, _, class_name = path.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        library = library_of(path).distribution
        raise SpecError(f"{field} is {path!r}; allowed: the import path of a class of {library}") from error
    try:
        made = kind(**arguments)
    except TypeError as error:
        raise SpecError(f"hyperparameters are not valid for the estimator {path}: {error}") from error
    if odd := library_of(path).unknown_arguments(kind, arguments):
        raise SpecError(
            f"hyperparameters are not valid for the estimator {path}: {odd[0]!r} is none of its parameters"
        )
    if hasattr(made, "_parameter_constraints"):
        try:
            made._validate_params()  # noqa: SLF001 - what scikit-learn's fit() does first
        except ValueError as error:
            raise SpecError(f"hyperparameters are not valid for the estimator {path}: {error}") from None
    if "random_state" in made.get_params() and "random_state" not in arguments:
        made.set_params(random_state=seed)
    return made
