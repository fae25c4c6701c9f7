from types import SimpleNamespace
from typing import Any

import pytest

from ml_code.tracking import runs
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
