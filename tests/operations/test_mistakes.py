"""What a person sees when a command cannot do what it should: a sentence, and no stack trace."""

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from ml_code.contracts import JobLogs, Output
from ml_code.inference import transform_job
from ml_code.inference.transform_job import Batch, BatchError, BatchSettings
from ml_code.spec import SpecError, load_specs
from operations import batch, verify
from operations.errors import run
from operations.factory import Factory

if TYPE_CHECKING:
    from localaws.core.account import Account

MODEL = load_specs()[0].name
SETTINGS = BatchSettings(role_arn="arn:r", bucket="mistakes", prefix="batch/", name_prefix="digits-batch-")


@pytest.fixture
def factory(tmp_path: Path) -> Factory:
    outputs = {
        Output.MLFLOW_TRACKING_URI: f"sqlite:///{tmp_path / 'mlflow.db'}",
        Output.MODEL_PREFIXES: json.dumps({MODEL: f"model-factory-{MODEL}"}),
    }
    return Factory("model-factory", outputs)


def said(main: Any) -> str:
    with pytest.raises(SystemExit) as end:
        run(main)
    return str(end.value)


def test_verification_before_production_says_how_to_get_there(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "deployed_factory", lambda: factory)
    monkeypatch.setattr(sys, "argv", ["verify"])
    monkeypatch.setattr(
        verify, "release_records", lambda factory, model: SimpleNamespace(newest=lambda: None)
    )
    message = said(verify.main)
    assert message.startswith(f"Nothing to verify: {MODEL} was never in production")
    assert "make approve lets it go on" in message


def test_errors_that_say_what_is_wrong_end_without_a_stack_trace() -> None:
    from mlflow.exceptions import MlflowException

    for error in (
        SpecError("model.yaml: seed is missing"),
        MlflowException("RESOURCE_DOES_NOT_EXIST: no run"),  # type: ignore[no-untyped-call]
    ):

        def main(error: Exception = error) -> None:
            raise error

        assert said(main) == str(error)

    def bug() -> None:
        raise KeyError("a mistake of ours")

    with pytest.raises(KeyError):
        run(bug)


def failing_batch(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> Batch:
    planned = Batch(
        name="digits-batch-v1-ab",
        input_uri="s3://mistakes/batch/rows.csv",
        output_uri="s3://mistakes/batch/",
        image_uri="",
        instance_type="",
        model_data_url="",
        model_manifest_sha256="",
        tags={},
        settings=SETTINGS,
    )
    monkeypatch.setattr(batch, "deployed_factory", lambda: factory)
    monkeypatch.setattr(batch, "deploy_environment", lambda *_: {})
    monkeypatch.setattr(batch, "plan", lambda *_: planned)
    monkeypatch.setattr(sys, "argv", ["batch", "--input", "rows.csv"])
    return planned


def test_a_failed_batch_shows_the_end_of_its_log(
    account: "Account", factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = failing_batch(factory, monkeypatch)

    def fail(*_: Any, **__: Any) -> None:
        raise BatchError("transform job digits-batch-v1-ab is Failed: ClientError: See job logs")

    monkeypatch.setattr(transform_job, "score", fail)
    logs, stream = boto3.client("logs"), f"{planned.name}/i-1/data-log"
    logs.create_log_group(logGroupName=JobLogs.TRANSFORM)
    logs.create_log_stream(logGroupName=JobLogs.TRANSFORM, logStreamName=stream)
    event: Any = {
        "timestamp": int(time.time() * 1000),
        "message": "rows.csv: the header line must be a,b,c, got c,b,a",
    }
    logs.put_log_events(logGroupName=JobLogs.TRANSFORM, logStreamName=stream, logEvents=[event])
    assert said(batch.main).splitlines() == [
        "transform job digits-batch-v1-ab is Failed: ClientError: See job logs",
        f"The end of {JobLogs.TRANSFORM} {stream}:",
        f"  {event['message']}",
    ]


def test_a_batch_without_predictions_is_no_success(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, account: "Account"
) -> None:
    failing_batch(factory, monkeypatch)
    scored = transform_job.Scored(predictions=0, bad_rows=[(1, "3 values; give 2 columns (a, b)")])
    monkeypatch.setattr(transform_job, "score", lambda *_, **__: "")
    monkeypatch.setattr(batch, "collect", lambda *_: scored)
    assert said(batch.main) == "No row of rows.csv could be scored: see bad_rows.csv."


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00", "a,b\n1,2\n".encode("utf-16")])
def test_what_is_no_text_is_refused_before_a_job_starts(
    account: "Account", tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=SETTINGS.bucket)
    s3.put_object(Bucket=SETTINGS.bucket, Key="batch/rows.csv", Body=content)
    for source in (str(tmp_path / "rows.csv"), "s3://mistakes/batch/rows.csv"):
        message = said(lambda source=source: batch.input_uri(source, SETTINGS, "s3://mistakes/batch/j/"))
        assert "is compressed, or its text is not UTF-8" in message
