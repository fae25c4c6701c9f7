"""The steps of an execution on the screen, on a terminal and elsewhere."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ml_code.execution.pipeline_execution import Snapshot
from ml_code.execution.progress import show

START = datetime(2026, 11, 1, tzinfo=UTC)


def snapshot(status: str, *steps: Any) -> Snapshot:
    return Snapshot(status=status, failure_reason="", steps=steps)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_last_snapshot_comes_back_when_all_were_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    waiting = {"StepName": "Preprocess", "StepStatus": "Starting"}
    ended = {"StepName": "Preprocess", "StepStatus": "Succeeded", "StartTime": START}
    last = snapshot("Succeeded", ended | {"EndTime": START + timedelta(seconds=4)})
    assert show(iter([snapshot("Executing", waiting), snapshot("Executing", waiting), last])) is last
    said = capsys.readouterr().out
    assert "Preprocess" in said
    assert "Succeeded" in said
    assert "4.0" in said
