"""The version in production, measured on the candidate's test part."""

import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
from botocore.exceptions import ClientError
from mlflow.exceptions import MlflowException
from sklearn.pipeline import Pipeline

from ml_code.spec import ModelSpec
from ml_code.steps.metrics import measure_predictions

PRODUCTION = "production"


class RivalError(Exception):
    """The version in production cannot be compared with."""


@dataclass(frozen=True, kw_only=True)
class Rival:
    version: str
    value: float


def measure_production(spec: ModelSpec, test: pd.DataFrame) -> Rival | None:
    """The gate's metric of the version in production; None when there is none, or it takes other columns."""
    version = _version_in_production(spec.name)
    if version is None:
        return None
    model = _load(spec.name, version)
    features, truth = test.drop(columns=spec.target.name), test[spec.target.name]
    if list(getattr(model, "feature_names_in_", features.columns)) != list(features.columns):
        print(f"version {version} in production takes other columns: nothing to compare with")
        return None
    value = measure_predictions(truth, model.predict(features))[spec.gate.metric]
    return Rival(version=version, value=value)


def _version_in_production(name: str) -> str | None:
    try:
        return str(mlflow.MlflowClient().get_model_version_by_alias(name, PRODUCTION).version)
    except MlflowException as error:
        # MLflow has one code for a missing model, another for a missing alias.
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def _load(name: str, version: str) -> Pipeline:
    client = mlflow.MlflowClient()
    uri = client.get_model_version_download_uri(name, version)
    with tempfile.TemporaryDirectory() as directory:
        try:
            file = mlflow.artifacts.download_artifacts(artifact_uri=f"{uri}/model.pkl", dst_path=directory)
            model: Pipeline = pickle.loads(Path(file).read_bytes())  # noqa: S301 - the factory's own
        except (MlflowException, ClientError, OSError, ImportError, AttributeError) as error:
            raise RivalError(
                f"version {version} of {name}, which is in production, cannot be loaded from {uri} "
                f"({' '.join(str(error).split())}); with gate.mode = disabled in ml_code/model.yaml nothing is compared"
            ) from error
    return model
