"""The registry as a release sees it, against a real one."""

import shutil
from pathlib import Path

import mlflow
import pytest

from ml_code.tracking import model_registry
from ml_code.tracking.model_registry import RegistryError


@pytest.fixture(scope="module")
def client(empty_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> mlflow.MlflowClient:
    folder = tmp_path_factory.mktemp("mlflow")
    shutil.copy(empty_registry, folder)
    (folder / "files").mkdir()
    (folder / "files" / "model.pkl").write_bytes(b"model")
    client = model_registry.connect(f"sqlite:///{folder / 'mlflow.db'}")
    client.create_registered_model("digits")
    run = client.create_run(client.create_experiment("digits", artifact_location=str(folder / "runs")))
    for source in (folder / "files", folder / "gone"):
        tags = {"commit": "abc", "data_sha256": "d", "execution_arn": "arn:e"}
        client.create_model_version("digits", source.as_uri(), run_id=run.info.run_id, tags=tags)
    client.set_registered_model_alias("digits", "staging", "1")
    return client


def test_alias_and_version_are_resolved(client: mlflow.MlflowClient) -> None:
    found = model_registry.resolve(client, "models:/digits@staging")
    assert found == model_registry.resolve(client, "models:/digits/1")
    assert (found.version, found.commit, found.execution_arn) == ("1", "abc", "arn:e")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("models:/digits@production", "aliases staging = 1"),
        ("models:/digits/9", r"versions \[1, 2\]"),
        ("models:/letters/1", "registered models: digits"),
        ("digits/1", "models:/NAME/VERSION"),
    ],
)
def test_unknown_version_says_what_there_is(client: mlflow.MlflowClient, uri: str, said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        model_registry.resolve(client, uri)


def test_files_of_a_version_are_found(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    folder = model_registry.download(client, model_registry.resolve(client, "models:/digits/1"), tmp_path)
    assert (folder / "model.pkl").read_bytes() == b"model"


def test_version_whose_files_are_gone_is_named(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    gone = model_registry.resolve(client, "models:/digits/2")
    with pytest.raises(RegistryError, match=r"digits version 2 .*release another version"):
        model_registry.download(client, gone, tmp_path)


def test_model_without_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"schema\.json"):
        model_registry.request_schema(tmp_path)
