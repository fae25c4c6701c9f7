from types import SimpleNamespace
from typing import Any

import pytest

from ml_code.tracking import runs
from ml_code.tracking.runs import Execution, parent_run_id

EXECUTION = Execution(
    arn="arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/x1", commit="0123456789", trigger_reason="push"
)


class FakeClient:
    """Runs by id; `rival` is what another job makes at the same time."""

    def __init__(self, runs: dict[str, int], rival: tuple[str, int] | None = None) -> None:
        self.runs = runs
        self.rival = rival
        self.deleted: list[str] = []
        self.tags: dict[str, str] = {}

    def search_runs(self, experiments: list[str], **arguments: Any) -> list[Any]:
        assert arguments["filter_string"] == f"tags.execution_arn = '{EXECUTION.arn}'"
        return [
            SimpleNamespace(info=SimpleNamespace(run_id=run_id, start_time=start))
            for run_id, start in self.runs.items()
        ]

    def create_run(self, experiment: str, *, run_name: str, tags: dict[str, str]) -> Any:
        self.tags = tags
        self.runs["mine"] = 20
        if self.rival:
            self.runs[self.rival[0]] = self.rival[1]
        return SimpleNamespace(info=SimpleNamespace(run_id="mine"))

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
        "execution_arn": EXECUTION.arn,
        "commit": "0123456789",
        "trigger_reason": "push",
    }
