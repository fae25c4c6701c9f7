import shutil
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pytest

from ml_code.serving import registry
from ml_code.serving.promote import promote

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def client(empty_registry: Path, tmp_path: Path) -> mlflow.MlflowClient:
    shutil.copy(empty_registry, tmp_path)
    client = registry.connect(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.create_registered_model("digits")
    for _ in range(2):
        client.create_model_version("digits", tmp_path.as_uri())
    return client


def test_alias_moves_and_the_version_knows_its_predecessor(client: mlflow.MlflowClient) -> None:
    first = registry.resolve(client, "models:/digits/1")
    second = registry.resolve(client, "models:/digits/2")
    assert promote(client, first, NOW) is None
    assert promote(client, second, NOW) == "1"
    production = client.get_model_version_by_alias("digits", "production")
    assert str(production.version) == "2"
    assert production.tags["previous_version"] == "1"
    assert production.tags["promoted_at"] == "2026-11-24T12:00:00+00:00"


def test_promoting_twice_keeps_the_first_time(client: mlflow.MlflowClient) -> None:
    first = registry.resolve(client, "models:/digits/1")
    promote(client, first, NOW)
    assert promote(client, first, datetime(2027, 1, 1, tzinfo=UTC)) == "1"
    assert client.get_model_version("digits", "1").tags["promoted_at"].startswith("2026")
