from pathlib import Path

import pandas as pd
import pytest
from sklearn.datasets import load_digits

from ml_code.spec import ModelSpec, load_spec
from ml_code.table.columns import Column, Schema
from ml_code.tracking import model_registry

EXAMPLE_MODEL = Path(__file__).parents[1] / "example_model.yaml"


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    return load_spec(EXAMPLE_MODEL)


@pytest.fixture(scope="session")
def model_yaml() -> str:
    return EXAMPLE_MODEL.read_text()


@pytest.fixture(scope="session")
def digits(spec: ModelSpec) -> pd.DataFrame:
    """The rows that the example model describes, as scikit-learn has them."""
    bunch = load_digits()
    columns = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    return pd.DataFrame(bunch.data, columns=columns).assign(digit=bunch.target)


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's database file, to be copied: MLflow takes a second to make one."""
    file = tmp_path_factory.mktemp("registry") / "mlflow.db"
    model_registry.connect(f"sqlite:///{file}").search_registered_models()
    return file


@pytest.fixture
def schema() -> Schema:
    return Schema(
        (
            Column(name="width", required=True, minimum=0, maximum=16),
            Column(name="height", required=True),
            Column(name="label", required=True, type="integer", minimum=0, maximum=9),
        )
    )
