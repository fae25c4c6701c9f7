"""A version is registered once, also when an answer is lost."""

import os
import time
from types import SimpleNamespace
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException, RestException

from ml_code.jobs import register
from ml_code.spec import load_spec

MODEL = {"model_uri": "models:/m-1", "run_id": "r", "model_id": "m-1"}
TAGS = {"execution_arn": "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/x1"}


class Registry:
    """Makes a version at each request; of the first `lost` the answer does not come."""

    def __init__(self, lost: int, refusal: Exception | None = None, *, comes: bool = True) -> None:
        self.lost, self.refusal, self.comes = lost, refusal, comes
        self.made: list[str] = []
        self.staging = ""

    def create_registered_model(self, name: str, **_: Any) -> None:
        pass

    def create_model_version(self, *_: Any, **__: Any) -> Any:
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
        if self.refusal:
            raise self.refusal
        self.lost -= 1
        if self.lost < 0 or self.comes:
            self.made.append(str(len(self.made) + 1))
        if self.lost >= 0:
            raise MlflowException("too many 500 error responses")  # type: ignore[no-untyped-call]
        return SimpleNamespace(version=self.made[-1])

    def search_model_versions(self, filter_string: str) -> list[Any]:
        assert (
            filter_string == f"name = '{load_spec().name}' and tags.execution_arn = '{TAGS['execution_arn']}'"
        )
        return [SimpleNamespace(version=number) for number in self.made]

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self.staging = version


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def registered(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(mlflow, "MlflowClient", lambda: registry)
    return register.register(load_spec(), MODEL, TAGS)


def test_a_request_whose_answer_was_lost_is_not_repeated(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(lost=1)
    assert registered(registry, monkeypatch) == registry.staging == "1"
    assert registry.made == ["1"]
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_a_request_that_did_not_arrive_is_repeated(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(lost=3, comes=False)
    assert registered(registry, monkeypatch) == "1"
    assert waits == [2, 4, 8]


def test_a_refusal_is_told_at_once(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = RestException({"error_code": "PERMISSION_DENIED", "message": "no"})  # type: ignore[no-untyped-call]
    with pytest.raises(RestException, match="no"):
        registered(Registry(0, refusal), monkeypatch)
    assert waits == []


def test_patience_has_an_end(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MlflowException, match="500"):
        registered(Registry(lost=99, comes=False), monkeypatch)
    assert 100 < sum(waits) < 200
