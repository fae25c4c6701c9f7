import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

from ml_code.tracking import model_registry, runs
from ml_code.tracking.runs import Execution, child_run_id, parent_run_id

EXECUTION = Execution(
    arn="arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/x1", commit="0123456789", trigger_reason="push"
)


class FakeClient:
    """Runs by id; `rival` is what another job makes at the same time, and a lost answer makes a request come twice."""

    def __init__(
        self, runs: dict[str, int], rival: tuple[str, int] | None = None, *, loses_answer: bool = False
    ) -> None:
        self.runs = runs
        self.rival = rival
        self.loses_answer = loses_answer
        self.deleted: list[str] = []
        self.tags: dict[str, str] = {}

    def search_runs(self, experiments: list[str], **arguments: Any) -> list[Any]:
        of_execution = f"tags.execution_arn = '{EXECUTION.arn}'"
        if arguments["filter_string"] == of_execution:
            found = self.runs
        else:
            assert arguments["filter_string"] == f"tags.creation = '{self.tags['creation']}'"
            found = {run_id: start for run_id, start in self.runs.items() if run_id.startswith("mine")}
        return [
            SimpleNamespace(info=SimpleNamespace(run_id=run_id, start_time=start))
            for run_id, start in found.items()
            if run_id not in self.deleted
        ]

    def create_run(self, experiment: str, *, run_name: str, tags: dict[str, str]) -> Any:
        self.tags = tags
        self.runs["mine"] = 20
        if self.loses_answer:
            self.runs["mine again"] = 21
        if self.rival:
            self.runs[self.rival[0]] = self.rival[1]

    def delete_run(self, run_id: str) -> None:
        self.deleted.append(run_id)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CREATION_RACE_SECONDS", 0)


@pytest.mark.parametrize(
    ("runs", "rival", "found", "deleted"),
    [
        ({}, None, "mine", []),
        ({"earlier": 5}, None, "earlier", []),
        ({}, ("older", 10), "older", ["mine"]),
        ({}, ("younger", 30), "mine", []),
        ({}, ("atonce", 20), "atonce", ["mine"]),
    ],
)
def test_jobs_that_start_together_agree_on_one_parent(
    runs: dict[str, int], rival: tuple[str, int] | None, found: str, deleted: list[str]
) -> None:
    client = FakeClient(dict(runs), rival)
    assert parent_run_id(client, "1", EXECUTION) == found  # type: ignore[arg-type]
    assert client.deleted == deleted


def test_a_new_parent_says_which_execution_it_is() -> None:
    client = FakeClient({})
    parent_run_id(client, "1", EXECUTION)  # type: ignore[arg-type]
    assert client.tags == {
        "creation": client.tags["creation"],
        "execution_arn": EXECUTION.arn,
        "commit": "0123456789",
        "trigger_reason": "push",
    }


def test_of_a_run_that_was_made_twice_the_first_stays() -> None:
    parent = FakeClient({}, loses_answer=True)
    assert parent_run_id(parent, "1", EXECUTION) == "mine"  # type: ignore[arg-type]
    child = FakeClient({}, loses_answer=True)
    assert child_run_id(child, "1", "parent", "job-1") == "mine"  # type: ignore[arg-type]
    assert parent.deleted == child.deleted == ["mine again"]


@pytest.fixture
def client(empty_registry: Path, tmp_path: Path) -> MlflowClient:
    shutil.copy(empty_registry, tmp_path)
    return model_registry.connect(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_a_deleted_experiment_comes_back_with_its_runs(
    client: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = runs.experiment_id(client, "digits")
    parent = parent_run_id(client, experiment, EXECUTION)
    client.delete_experiment(experiment)
    assert runs.experiment_id(client, "digits") == experiment
    assert parent_run_id(client, experiment, EXECUTION) == parent
    runs.log(client, parent, metrics={"accuracy": 1.0})
    assert capsys.readouterr().out == f"restored MLflow experiment {experiment}, which was deleted\n"


def test_two_jobs_may_restore_an_experiment_at_once(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = runs.experiment_id(client, "digits")
    client.delete_experiment(experiment)
    restore = client.restore_experiment

    def restored_twice(identifier: str) -> None:
        restore(identifier)
        restore(identifier)

    monkeypatch.setattr(client, "restore_experiment", restored_twice)
    assert runs.experiment_id(client, "digits") == experiment


@pytest.mark.parametrize("kinds", [("run",), ("experiment",), ("run", "experiment")])
def test_the_deleted_run_of_a_version_comes_back(client: MlflowClient, kinds: tuple[str, ...]) -> None:
    experiment = runs.experiment_id(client, "digits")
    run = parent_run_id(client, experiment, EXECUTION)
    if "run" in kinds:
        client.delete_run(run)
    if "experiment" in kinds:
        client.delete_experiment(experiment)
    runs.restore_run(client, run)
    runs.restore_run(client, run)
    runs.log(client, run, metrics={"accuracy": 1.0})
