"""The version in production, measured on the candidate's test part."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from ml_code.contracts import PRODUCTION
from ml_code.estimators.saving import load_model, read_files
from ml_code.jobs.answers import answers_of
from ml_code.metrics import measure_answers
from ml_code.spec import ModelSpec
from ml_code.tracking import model_registry
from ml_code.tracking.model_registry import RegisteredVersion, RegistryError


class BaselineError(Exception):
    """The version in production cannot be compared with."""


@dataclass(frozen=True, kw_only=True)
class ProductionBaseline:
    version: str
    value: float
    predicted: Any = field(default=None, compare=False)
    probabilities: Any = field(default=None, compare=False)
    """The probabilities of the test part's rows; None of a regression."""


def measure_production(spec: ModelSpec, test: Iterable[pd.DataFrame]) -> ProductionBaseline | None:
    """The gate's metric of the version in production on the rows that come in blocks.

    None when there is no such version, or it takes other columns.
    """
    client = mlflow.MlflowClient()
    try:
        baseline = model_registry.resolve(client, f"models:/{spec.name}@{PRODUCTION}")
    except RegistryError:
        return None
    model = _load(client, baseline)
    features = [name for name in spec.training_schema().names if name != spec.target.name]
    if list(getattr(model, "feature_names_in_", features)) != features:
        print(f"version {baseline.version} in production takes other columns: nothing to compare with")
        return None
    if spec.is_classification and list(model.classes_) != list(spec.classes):
        print(f"version {baseline.version} in production has other classes: nothing to compare with")
        return None
    answers = answers_of(spec, model, test)
    value = measure_answers(spec, answers.truth, answers.predicted, answers.probabilities)[spec.gate.metric]
    return ProductionBaseline(
        version=baseline.version,
        value=value,
        predicted=answers.predicted,
        probabilities=answers.probabilities,
    )


def _load(client: mlflow.MlflowClient, baseline: RegisteredVersion) -> Any:
    with tempfile.TemporaryDirectory() as directory:
        try:
            model = load_model(read_files(model_registry.download(client, baseline, Path(directory))))
        except (RegistryError, ImportError, AttributeError) as error:
            raise BaselineError(
                f"version {baseline.version} of {baseline.name}, which is in production, cannot be loaded: {error}; "
                "with gate.mode = disabled in model.yaml nothing is compared"
            ) from error
    return model
