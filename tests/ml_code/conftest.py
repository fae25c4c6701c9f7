from pathlib import Path

import pandas as pd
import pytest

from ml_code.schema import Column, Schema
from ml_code.spec import ModelSpec, load_spec

DIGITS = Path(__file__).with_name("digits.yaml")


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    return load_spec(DIGITS)


@pytest.fixture(scope="session")
def model_yaml() -> str:
    return DIGITS.read_text()


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
