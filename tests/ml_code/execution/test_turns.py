"""The builds of several models, a bounded number at a time."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ml_code.execution import turns

START = datetime(2026, 11, 1, tzinfo=UTC)


class CodeBuild:
    """Builds that began one after the other; each look ends the first one that runs."""

    def __init__(self, *ids: str) -> None:
        self.running = list(ids)

    def list_builds_for_project(self, *, projectName: str, **_: Any) -> Any:
        return {"ids": [each for each in self.running if each.startswith(projectName)]}

    def batch_get_builds(self, *, ids: list[str]) -> Any:
        builds = [
            {"id": each, "buildStatus": "IN_PROGRESS", "startTime": START + timedelta(seconds=number)}
            for number, each in enumerate(self.running)
            if each in ids
        ]
        return {"builds": builds}


def environment(own: str) -> dict[str, str]:
    projects = json.dumps(["a", "b", "c"])
    return {"BUILD_PROJECTS": projects, "MAX_PARALLEL_TRAININGS": "2", "CODEBUILD_BUILD_ID": own}


@pytest.mark.parametrize("own", ["a:1", "b:1"])
def test_the_first_two_do_not_wait(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waits"))
    codebuild: Any = CodeBuild("a:1", "b:1", "c:1")
    turns.wait_for_turn(environment(own), codebuild)


def test_the_third_waits_until_one_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codebuild: Any = CodeBuild("a:1", "b:1", "c:1")
    monkeypatch.setattr("time.sleep", lambda _: codebuild.running.pop(0))
    turns.wait_for_turn(environment("c:1"), codebuild)
    assert codebuild.running == ["b:1", "c:1"]
    assert "waiting: 2 models train at once, before this one a:1, b:1" in capsys.readouterr().out


def test_a_factory_of_one_model_asks_nothing() -> None:
    turns.wait_for_turn({}, None)  # type: ignore[arg-type]
