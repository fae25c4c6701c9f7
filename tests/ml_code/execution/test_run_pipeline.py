import io
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY

from ml_code.execution import job_wheels, run_pipeline, source_archive, stack_assertions
from ml_code.execution.pipeline_execution import Snapshot
from ml_code.execution.run_settings import RunError, read_settings
from ml_code.execution.trigger import Trigger
from tests.ml_code.execution.stubs import (
    ARCHIVE,
    CODE_URI,
    DEFINITION,
    ENVIRONMENT,
    EXECUTION_ARN,
    JOB_ARN,
    PIPELINE,
    SETTINGS,
    FailedAtOnce,
    Failing,
    Passed,
    Stubs,
    processing_job,
    step,
)


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_yaml: str) -> None:
    """The working directory is a project with one model and its sample data."""
    (tmp_path / "models/digits/data").mkdir(parents=True)
    (tmp_path / "ml_code").mkdir()
    (tmp_path / "models/digits/model.yaml").write_text(model_yaml)
    (tmp_path / "models/digits/data/digits.csv").write_text("digit\n1\n")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stubs]:
    monkeypatch.setattr(run_pipeline, "pipeline_definition", lambda spec, settings: DEFINITION)
    monkeypatch.setattr(run_pipeline, "failing_models", lambda s3, bucket, models: set())
    monkeypatch.setattr(run_pipeline, "get_wheels", lambda s3, bucket: {})
    monkeypatch.setattr(job_wheels, "job_requirements", lambda wheels, pins: "")
    monkeypatch.setattr(run_pipeline, "RESULT_FILE", tmp_path / "pipeline-result.env")
    monkeypatch.setattr(stack_assertions, "started", lambda s3, bucket: nullcontext(Passed()))
    monkeypatch.setattr(source_archive, "build_source_archive", lambda *_: ARCHIVE)
    made = Stubs()
    for key in ("source.tar.gz", "entry_point.py"):
        request = {
            "Bucket": "artifacts",
            "Key": f"{CODE_URI.removeprefix('s3://artifacts/')}{key}",
            "Body": ANY,
            "IfNoneMatch": "*",
        }
        made.s3.add_response("put_object", {}, request)
    raw = {"Contents": [{"Key": "raw/digits/digits.csv", "ETag": '"1"', "Size": 9}]}
    made.s3.add_response("list_objects_v2", raw, {"Bucket": "data", "Prefix": "raw/digits/"})
    monkeypatch.setattr(run_pipeline, "write_training", lambda *_: None)
    yield made
    made.finish()


def test_failed_tests_of_the_model_upload_and_train_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Stubs()
    monkeypatch.setattr(run_pipeline, "failing_models", lambda s3, bucket, models: set(models))
    monkeypatch.setattr(run_pipeline, "pipeline_definition", lambda spec, settings: DEFINITION)
    monkeypatch.setattr(run_pipeline, "get_wheels", lambda s3, bucket: {})
    monkeypatch.setattr(stack_assertions, "started", lambda s3, bucket: nullcontext(Passed()))
    with pytest.raises(RunError, match="the tests of digits failed: nothing is trained"):
        run_pipeline.run(SETTINGS, nothing.clients)
    nothing.finish()


def test_failed_tests_of_the_app_stop_the_training(
    stubs: Stubs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stack_assertions, "started", lambda s3, bucket: nullcontext(Failing()))
    stubs.expect_start()
    stubs.expect_end("Executing")
    stubs.sagemaker.add_response(
        "stop_pipeline_execution",
        {"PipelineExecutionArn": EXECUTION_ARN},
        {"PipelineExecutionArn": EXECUTION_ARN, "ClientRequestToken": ANY},
    )
    stubs.expect_end("Stopped")
    assert run_pipeline.run(SETTINGS, stubs.clients) == 1
    output = capsys.readouterr().out
    assert f"{EXECUTION_ARN} is Stopped" in output
    assert "The tests of the CDK app failed: this commit goes no further. tests/stacks failed" in output
    assert not run_pipeline.RESULT_FILE.exists()


def test_failed_tests_of_the_app_start_no_training(stubs: Stubs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_assertions, "started", lambda s3, bucket: nullcontext(FailedAtOnce()))
    stubs.sagemaker.add_response("describe_pipeline", {"PipelineDefinition": DEFINITION})
    assert run_pipeline.run(SETTINGS, stubs.clients) == 1


@pytest.mark.parametrize("deployed", [DEFINITION, '{"Steps": [],  "Version": "2020-12-01"}'])
def test_success_writes_the_version_and_updates_nothing(
    stubs: Stubs, deployed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_pipeline, "pipeline_definition", lambda spec, settings: deployed)
    stubs.expect_start()
    register = {"ProcessingJob": {"Arn": f"{JOB_ARN}processing-job/pipelines-abc-register"}}
    stubs.expect_end("Succeeded", step("Register", "Succeeded", Metadata=register))
    output = {
        "OutputName": "version",
        "S3Output": {"S3Uri": "s3://artifacts/runs/abc/v", "S3UploadMode": "EndOfJob"},
    }
    stubs.sagemaker.add_response(
        "describe_processing_job", processing_job(ProcessingOutputConfig={"Outputs": [output]})
    )
    body = json.dumps({"name": "digits", "version": "3", "tags": {}}).encode()
    stubs.s3.add_response(
        "get_object",
        {"Body": StreamingBody(io.BytesIO(body), len(body))},
        {"Bucket": "artifacts", "Key": "runs/abc/v/version.json"},
    )
    assert run_pipeline.run(SETTINGS, stubs.clients) == 0
    written = run_pipeline.RESULT_FILE.read_text()
    assert written == f"export MODEL_VERSION=3\nexport EXECUTION_ARN={EXECUTION_ARN}\n"


def test_a_failed_step_shows_its_reason_and_its_log(stubs: Stubs, capsys: pytest.CaptureFixture[str]) -> None:
    stubs.expect_start(deployed='{"Steps": [1]}')
    metadata = {"ProcessingJob": {"Arn": f"{JOB_ARN}processing-job/pipelines-abc-preprocess"}}
    reason = "AlgorithmError: exit code 1"
    stubs.expect_end("Failed", step("Preprocess", "Failed", FailureReason=reason, Metadata=metadata))
    stubs.sagemaker.add_response(
        "describe_processing_job",
        processing_job(
            ProcessingJobName="pipelines-abc-Preprocess",
            ExitMessage="SchemaError: column 'pixel_0_0', row 7",
        ),
        {"ProcessingJobName": "pipelines-abc-preprocess"},
    )
    stream = "pipelines-abc-Preprocess/algo-1-1"
    group = "/aws/sagemaker/ProcessingJobs"
    stubs.logs.add_response(
        "describe_log_streams",
        {"logStreams": [{"logStreamName": stream}]},
        {"logGroupName": group, "logStreamNamePrefix": "pipelines-abc-Preprocess/"},
    )
    stubs.logs.add_response(
        "get_log_events",
        {"events": [{"message": "Traceback (most recent call last):\n"}]},
        {"logGroupName": group, "logStreamName": stream, "limit": 50, "startFromHead": False},
    )
    assert run_pipeline.run(SETTINGS, stubs.clients) == 1
    shown = capsys.readouterr().out
    assert "updated pipeline model-factory" in shown
    assert f"Step Preprocess failed: {reason}" in shown
    assert "SchemaError: column 'pixel_0_0', row 7" in shown
    assert "Traceback (most recent call last):" in shown
    assert not run_pipeline.RESULT_FILE.exists()


def test_the_gate_shows_the_measured_value(stubs: Stubs, capsys: pytest.CaptureFixture[str]) -> None:
    stubs.expect_start()
    message = "accuracy on 360 test rows is 0.9722. The gate asks for accuracy >= 0.999."
    gate = step("GateFailed", "Failed", Metadata={"Fail": {"ErrorMessage": message}})
    stubs.expect_end("Failed", gate)
    assert run_pipeline.run(SETTINGS, stubs.clients) == 1
    assert message in capsys.readouterr().out


def test_a_missing_pipeline_is_one_sentence() -> None:
    stubs = Stubs()
    stubs.sagemaker.add_client_error("describe_pipeline", "ResourceNotFound")
    with pytest.raises(RunError, match="no SageMaker pipeline 'model-factory': deploy the stack first"):
        run_pipeline.update_pipeline(stubs.clients.sagemaker, "model-factory", DEFINITION)


def test_settings_come_from_the_environment() -> None:
    settings = read_settings(ENVIRONMENT, None, Trigger(reason="push", data_prefix="raw/digits/2026/"))
    assert settings.pipeline == PIPELINE
    assert (settings.commit, settings.trigger_reason) == ("0123456789abcdef", "push")
    assert settings.data_uri == "s3://data/raw/digits/2026/"
    assert read_settings(ENVIRONMENT, "fedc", Trigger()).commit == "fedc"


def test_a_reason_of_any_length_fits_an_argument_of_a_job() -> None:
    """Anybody who starts the delivery pipeline may set it, and CodePipeline takes more than SageMaker."""
    assert read_settings(ENVIRONMENT, None, Trigger(reason="x" * 1000)).trigger_reason == "x" * 200


@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        ("raw/digits/" + "x" * 243, "has 264 characters, SageMaker takes 256: choose a shorter DataPrefix"),
        ("captured/", "DataPrefix is 'captured/', allowed is a prefix below raw/digits/"),
    ],
)
def test_a_wrong_data_prefix_is_one_sentence(prefix: str, sentence: str) -> None:
    with pytest.raises(RunError, match=sentence):
        read_settings(ENVIRONMENT, None, Trigger(data_prefix=prefix))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"DATA_BUCKET": ""}, "set the environment variable DATA_BUCKET"),
        ({"PIPELINE_SETTINGS": "{"}, "PIPELINE_SETTINGS does not fit"),
        ({"PIPELINE_SETTINGS": '{"colour": 1}'}, "PIPELINE_SETTINGS does not fit.*colour"),
        ({"CODEBUILD_RESOLVED_SOURCE_VERSION": ""}, "CODEBUILD_RESOLVED_SOURCE_VERSION"),
    ],
)
def test_a_wrong_environment_is_one_sentence(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(RunError, match=sentence):
        read_settings({**ENVIRONMENT, **change}, None, Trigger())


@pytest.mark.parametrize("version", ["1; id > pwned", "", "01", None])
def test_a_version_that_is_no_number_goes_no_further(version: object) -> None:
    """version.json is written by the pushed code, and the build sources what is made of it."""
    made = Stubs()
    output = {
        "S3Uri": "s3://artifacts/run/version",
        "LocalPath": "/opt/ml/version",
        "S3UploadMode": "EndOfJob",
    }
    outputs = {"Outputs": [{"OutputName": "version", "S3Output": output}]}
    made.sagemaker.add_response("describe_processing_job", processing_job(ProcessingOutputConfig=outputs))
    body = json.dumps({"name": "digits", "version": version, "tags": {}}).encode()
    made.s3.add_response("get_object", {"Body": StreamingBody(io.BytesIO(body), len(body))})
    metadata = {"ProcessingJob": {"Arn": f"{JOB_ARN}processing-job/job"}}
    register = step("Register", "Succeeded", Metadata=metadata)
    ended = Snapshot(status="Succeeded", failure_reason="", steps=(register,))
    with pytest.raises(RunError, match=r"version\.json of Register has version"):
        run_pipeline.registered_version(made.clients, ended)
