"""Held-out rows with known truth, as the evaluation logged them with the model."""

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_code.tracking.model_registry import RegisteredVersion, RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

TEST_DATA = "test.csv"  # artifact of the version's run


@dataclass(frozen=True)
class LabelledRows:
    features: pd.DataFrame
    truth: NDArray[Any]


def load_test_rows(client: "MlflowClient", version: RegisteredVersion, target: str) -> LabelledRows:
    return parse_test_rows(download_test_rows(client, version), target)


def download_test_rows(client: "MlflowClient", version: RegisteredVersion) -> bytes:
    """The CSV file, as the evaluation logged it."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as directory:
        try:
            return Path(client.download_artifacts(version.run_id, TEST_DATA, directory)).read_bytes()
        except (MlflowException, OSError) as error:
            raise RegistryError(
                f"run {version.run_id} has no artifact {TEST_DATA} to verify {version.name} version "
                f"{version.version} with ({error}); train the version again"
            ) from error


def parse_test_rows(body: bytes, target: str) -> LabelledRows:
    return split_truth(pd.read_csv(io.BytesIO(body)), target)


def split_truth(frame: pd.DataFrame, target: str) -> LabelledRows:
    if target not in frame.columns or frame.empty:
        raise ValueError(
            f"the test data must have rows and a column {target!r}, got {len(frame)} rows "
            f"and the columns {', '.join(map(str, frame.columns[:5]))} …"
        )
    return LabelledRows(frame.drop(columns=target), np.asarray(frame[target]))
