"""What a push starts where there are several models."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ml_code.contracts import Step
from ml_code.execution import inputs, model_tests, push, stack_assertions
from ml_code.execution.inputs import Training
from ml_code.execution.job_wheels import job_pins
from ml_code.execution.push import Buckets, Clients
from ml_code.execution.raw_data import RawObject, version_of
from ml_code.spec import load_spec

PIPELINES = {"a": "factory-a", "b": "factory-b", "gone": "factory-gone"}
SETTINGS = json.dumps(
    {
        "pipeline_name": "p",
        "model_name": "m",
        "region": "r",
        "role_arn": "arn",
        "artifact_bucket": "artifacts",
        "mlflow_tracking_uri": "arn",
        "image_uri": "image",
    }
)


class Aws:
    """The four services, with the last trainings as they are set here."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.build_status = "SUCCEEDED"
        self.execution_status = "Succeeded"
        self.steps = ["Preprocess"]

    def start_pipeline_execution(self, **request: Any) -> None:
        self.started.append(request)

    def batch_get_projects(self, names: list[str]) -> Any:
        variables = [{"name": "PIPELINE_SETTINGS", "value": SETTINGS}]
        return {"projects": [{"name": names[0], "environment": {"environmentVariables": variables}}]}

    def batch_get_builds(self, ids: list[str]) -> Any:
        return {"builds": [{"id": ids[0], "buildStatus": self.build_status}]}

    def describe_pipeline_execution(self, **_: Any) -> Any:
        return {"PipelineExecutionStatus": self.execution_status}

    def get_paginator(self, _: str) -> Any:
        steps = [{"StepName": name} for name in self.steps]
        return SimpleNamespace(paginate=lambda **_: [{"PipelineExecutionSteps": steps}])


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_yaml: str) -> Aws:
    """Two models, each trained from what it is made of now."""
    for name in ("a", "b"):
        (tmp_path / "models" / name).mkdir(parents=True)
        text = model_yaml.replace("name: digits", f"name: {name}")
        (tmp_path / "models" / name / "model.yaml").write_text(text)
    (tmp_path / "ml_code/execution").mkdir(parents=True)
    (tmp_path / "ml_code/metrics.py").write_text("one")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_tests, "failing_models", lambda *_: set())
    monkeypatch.setattr(stack_assertions, "started", lambda *_: _passed())
    monkeypatch.setattr(push, "list_objects", lambda *_: [RawObject("raw/a/rows.csv", "etag", 9)])
    recorded = {name: _training(name) for name in ("a", "b")}
    monkeypatch.setattr(inputs, "read_training", lambda s3, bucket, model: recorded.get(model))
    made = Aws()
    made.recorded = recorded  # type: ignore[attr-defined]
    return made


def _training(model: str) -> Training:
    pins = job_pins(load_spec(name=model).estimator, is_cluster=False)
    data = version_of([RawObject("raw/a/rows.csv", "etag", 9)])
    found = inputs.model_inputs(Path(), model, pins=pins, settings_json=SETTINGS, data_version=data)
    return Training(inputs=found, commit="before", build_id="build:1", execution_arn="arn:execution")


class _passed:  # noqa: N801
    def __enter__(self) -> Any:
        return SimpleNamespace(wait=lambda: None)

    def __exit__(self, *_: object) -> None:
        pass


def run(aws: Any) -> int:
    clients = Clients(codebuild=aws, codepipeline=aws, s3=aws, sagemaker=aws)
    return push.run(PIPELINES, Buckets(data="data", artifacts="artifacts"), "c0ffee", "push", clients)


def started(aws: Aws) -> dict[str, str]:
    """The pipelines that were started, with their reasons."""
    return {each["name"]: each["variables"][0]["value"] for each in aws.started}


def test_nothing_has_changed(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(aws) == 0
    assert started(aws) == {}
    said = capsys.readouterr().out
    assert "a: nothing of it has changed" in said
    assert "gone is deployed, and this commit has no folder of it" in said


def test_a_changed_folder_is_one_model_s(aws: Aws) -> None:
    path = Path("models/b/model.yaml")
    path.write_text(path.read_text().replace("seed: ", "seed: 7"))
    assert run(aws) == 0
    assert started(aws) == {"factory-b": "push: changed folder"}
    revision = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "c0ffee"}
    assert aws.started[0]["sourceRevisions"] == [revision]


def test_shared_code_is_every_model_s_and_that_of_builds_no_one_s(aws: Aws) -> None:
    Path("ml_code/execution/push.py").write_text("other")
    assert run(aws) == 0
    assert started(aws) == {}
    Path("ml_code/metrics.py").write_text("two")
    assert run(aws) == 0
    assert started(aws) == {f"factory-{name}": "push: changed code" for name in ("a", "b")}


def test_new_data_and_a_library(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "list_objects", lambda *_: [RawObject("raw/a/rows.csv", "another", 9)])
    monkeypatch.setattr(push, "job_pins", lambda *_, **__: [])
    assert run(aws) == 0
    assert started(aws)["factory-a"] == "push: changed libraries and data"


@pytest.mark.parametrize(
    ("build", "execution", "steps", "is_started"),
    [
        ("SUCCEEDED", "Succeeded", [], False),
        ("FAILED", "Failed", ["Evaluate", Step.GATE_FAILED], False),
        ("FAILED", "Failed", ["Preprocess"], True),
        ("STOPPED", "Stopped", [], True),
        ("IN_PROGRESS", "Executing", [], False),
    ],
)
def test_the_end_of_the_last_training(
    aws: Aws, build: str, execution: str, steps: list[str], is_started: bool
) -> None:
    """The same inputs would fail at the gate again; what ended by a fault is tried again."""
    aws.build_status, aws.execution_status, aws.steps = build, execution, steps
    assert run(aws) == 0
    assert bool(aws.started) == is_started


def test_a_model_whose_tests_fail_is_not_delivered_and_the_others_are(
    aws: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.recorded.clear()
    monkeypatch.setattr(model_tests, "failing_models", lambda *_: {"a"})
    assert run(aws) == 1
    assert started(aws) == {"factory-b": "push: never trained"}
    assert "not delivered: a" in capsys.readouterr().out
