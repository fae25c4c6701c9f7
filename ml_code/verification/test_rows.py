"""Held-out rows with known truth, as the evaluation logged them with the model."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_code.spec import ModelSpec
from ml_code.table.columns import Schema
from ml_code.table.text import read_csv
from ml_code.tracking.model_registry import RegisteredVersion, RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

TEST_DATA = "test.csv"  # artifact of the version's run


@dataclass(frozen=True)
class LabelledRows:
    features: pd.DataFrame
    truth: list[Any]
    """Labels, or numbers."""
    schema: Schema
    """The schema of a request: the features without the target."""

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: Iterable[int]) -> "LabelledRows":
        places = list(rows)
        return LabelledRows(self.features.iloc[places], [self.truth[place] for place in places], self.schema)


def load_test_rows(client: "MlflowClient", version: RegisteredVersion, spec: ModelSpec) -> LabelledRows:
    return parse_test_rows(download_test_rows(client, version), spec)


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


def parse_test_rows(body: bytes, spec: ModelSpec) -> LabelledRows:
    """SchemaError when the rows have other columns than the model."""
    frame = read_csv(body, spec.training_schema())
    truth = frame.pop(spec.target.name)
    return LabelledRows(frame, truth.tolist(), spec.request_schema())
