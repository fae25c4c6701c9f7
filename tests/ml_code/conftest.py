from pathlib import Path

import pandas as pd
import pytest

from ml_code.schema import Column, Schema
from ml_code.spec import MODEL_YAML, ModelSpec, load_spec


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    return load_spec()


@pytest.fixture(scope="session")
def model_yaml() -> str:
    return MODEL_YAML.read_text()


@pytest.fixture(scope="session")
def digits(spec: ModelSpec) -> pd.DataFrame:
    return pd.read_csv(Path(__file__).parents[2] / "data/digits.csv")


@pytest.fixture
def schema() -> Schema:
    return Schema(
        (
            Column(name="width", minimum=0, maximum=16),
            Column(name="height"),
            Column(name="label", type="integer", minimum=0, maximum=9),
        )
    )
