import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow
import pytest

from ml_code.contracts import PRODUCTION
from ml_code.release.records import Records, Release, promote
from ml_code.tracking import model_registry
from ml_code.write_once import WriteOnceError
from tests.ml_code.release.world import BUCKET, STARTED, Aws

FIRST = Release(
    model="digits",
    version="1",
    run_id="r",
    commit="c",
    data_sha256="d",
    execution_arn="arn:e",
    code_uri="s3://artifacts/code/c/",
    previous="",
    reason="delivery",
    approved_by="arn:user/ann",
    delivery="e1",
    archive_uri="s3://artifacts/serving/a",
    archive_sha256="a",
    test_rows_sha256="b",
    metric="accuracy",
    value=0.97,
    released_at=STARTED.isoformat(),
)
SECOND = replace(FIRST, version="2", previous="1", released_at=(STARTED + timedelta(hours=1)).isoformat())


@pytest.fixture
def client(empty_registry: Path, tmp_path: Path) -> mlflow.MlflowClient:
    shutil.copy(empty_registry, tmp_path)
    client = model_registry.connect(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.create_registered_model("digits")
    for _ in range(2):
        client.create_model_version("digits", tmp_path.as_uri())
    return client


@pytest.fixture
def records() -> Records:
    aws: Any = Aws()
    return Records(s3=aws, bucket=BUCKET, model="digits")


def test_the_alias_moves_and_the_records_stay_in_order(client: mlflow.MlflowClient, records: Records) -> None:
    for release in (SECOND, FIRST):
        promote(client, records, release)
    assert model_registry.in_production(client, "digits") == "1"
    assert records.read() == [FIRST, SECOND]
    assert records.newest() == SECOND


@pytest.mark.parametrize("before", [None, "2"])
def test_a_record_that_cannot_be_written_moves_no_alias(
    client: mlflow.MlflowClient, records: Records, before: str | None
) -> None:
    if before:
        client.set_registered_model_alias("digits", PRODUCTION, before)
    records.write(FIRST)
    with pytest.raises(WriteOnceError):
        promote(client, records, replace(FIRST, reason="another"))
    assert model_registry.in_production(client, "digits") == before


def test_an_alias_that_does_not_move_leaves_no_record(
    client: mlflow.MlflowClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise RuntimeError("the registry is away")

    monkeypatch.setattr(client, "set_registered_model_alias", refuse)
    with pytest.raises(RuntimeError, match="away"):
        promote(client, records, FIRST)
    assert records.read() == []
