"""Held-out rows with known truth, as the evaluation logged them with the model."""

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_code.serving.registry import RegisteredVersion, RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

TEST_DATA = "test.csv"  # artifact of the run that a version's training and evaluation belong to


@dataclass(frozen=True)
class Samples:
    features: pd.DataFrame
    truth: NDArray[Any]


def load_samples(client: "MlflowClient", version: RegisteredVersion, target: str) -> Samples:
    from mlflow.exceptions import MlflowException

    run = client.get_run(version.run_id)
    parent_id = run.data.tags.get("mlflow.parentRunId", version.run_id)
    with tempfile.TemporaryDirectory() as directory:
        try:
            frame = pd.read_csv(client.download_artifacts(parent_id, TEST_DATA, directory))
        except (MlflowException, OSError) as error:
            raise RegistryError(
                f"run {parent_id} has no artifact {TEST_DATA} to verify {version.name} version "
                f"{version.version} with ({error}); train the version again"
            ) from error
    return split_truth(frame, target)


def split_truth(frame: pd.DataFrame, target: str) -> Samples:
    if target not in frame.columns or frame.empty:
        raise ValueError(
            f"the test data must have rows and a column {target!r}, got {len(frame)} rows "
            f"and the columns {', '.join(map(str, frame.columns[:5]))} …"
        )
    return Samples(frame.drop(columns=target), np.asarray(frame[target]))
