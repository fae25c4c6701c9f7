"""The version in production, measured on the candidate's test part."""

import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.pipeline import Pipeline

from ml_code import registry
from ml_code.metrics import measure_predictions
from ml_code.registry import PRODUCTION, RegisteredVersion, RegistryError
from ml_code.spec import ModelSpec


class RivalError(Exception):
    """The version in production cannot be compared with."""


@dataclass(frozen=True, kw_only=True)
class Rival:
    version: str
    value: float


def measure_production(spec: ModelSpec, test: pd.DataFrame) -> Rival | None:
    """The gate's metric of the version in production; None when there is none, or it takes other columns."""
    client = mlflow.MlflowClient()
    try:
        rival = registry.resolve(client, f"models:/{spec.name}@{PRODUCTION}")
    except RegistryError:
        return None
    model = _load(client, rival)
    features, truth = test.drop(columns=spec.target.name), test[spec.target.name]
    if list(getattr(model, "feature_names_in_", features.columns)) != list(features.columns):
        print(f"version {rival.version} in production takes other columns: nothing to compare with")
        return None
    value = measure_predictions(truth, model.predict(features))[spec.gate.metric]
    return Rival(version=rival.version, value=value)


def _load(client: mlflow.MlflowClient, rival: RegisteredVersion) -> Pipeline:
    with tempfile.TemporaryDirectory() as directory:
        try:
            file = registry.download(client, rival, Path(directory)) / "model.pkl"
            model: Pipeline = pickle.loads(file.read_bytes())  # noqa: S301 - the factory's own
        except (RegistryError, ImportError, AttributeError) as error:
            raise RivalError(
                f"version {rival.version} of {rival.name}, which is in production, cannot be loaded: {error}; "
                "with gate.mode = disabled in ml_code/model.yaml nothing is compared"
            ) from error
    return model
