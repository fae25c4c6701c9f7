import shutil
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pytest

from ml_code.tracking import model_registry, production_history
from ml_code.tracking.production_history import Promotion
from ml_code.tracking.promotion import promote

NOON, ONE = datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2026, 11, 24, 13, tzinfo=UTC)
DELIVERY = Promotion(reason="delivery", approved_by="arn:user/ann", delivery="e1", archive="s3://a/1")
ROLLBACK = Promotion(reason="rollback", approved_by="arn:user/bob", delivery="", archive="s3://a/1")


@pytest.fixture
def client(empty_registry: Path, tmp_path: Path) -> mlflow.MlflowClient:
    shutil.copy(empty_registry, tmp_path)
    client = model_registry.connect(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.create_registered_model("digits")
    for _ in range(2):
        client.create_model_version("digits", tmp_path.as_uri())
    return client


def test_alias_moves_and_the_history_says_who_was_there(client: mlflow.MlflowClient) -> None:
    first = model_registry.resolve(client, "models:/digits/1")
    second = model_registry.resolve(client, "models:/digits/2")
    assert promote(client, first, DELIVERY, NOON) is None
    assert promote(client, second, DELIVERY, ONE) == "1"
    assert promote(client, first, ROLLBACK, ONE.replace(hour=14)) == "2"
    assert model_registry.in_production(client, "digits") == "1"
    periods = production_history.read(client, "digits")
    assert [(period.version, period.since, period.until) for period in periods] == [
        ("1", NOON, ONE),
        ("2", ONE, ONE.replace(hour=14)),
        ("1", ONE.replace(hour=14), None),
    ]
    assert [period.promotion.previous for period in periods] == ["", "1", "2"]
    assert [period.promotion.approved_by for period in periods] == ["arn:user/ann"] * 2 + ["arn:user/bob"]


def test_promoting_twice_keeps_the_first_time(client: mlflow.MlflowClient) -> None:
    first = model_registry.resolve(client, "models:/digits/1")
    promote(client, first, DELIVERY, NOON)
    assert promote(client, first, DELIVERY, ONE) == "1"
    assert [period.since for period in production_history.read(client, "digits")] == [NOON]


def test_an_alias_that_does_not_move_leaves_no_history(
    client: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise RuntimeError("the registry is away")

    monkeypatch.setattr(client, "set_registered_model_alias", refuse)
    with pytest.raises(RuntimeError, match="away"):
        promote(client, model_registry.resolve(client, "models:/digits/1"), DELIVERY, NOON)
    assert production_history.read(client, "digits") == []
    assert model_registry.in_production(client, "digits") is None
