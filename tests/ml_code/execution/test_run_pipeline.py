import io
import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from ml_code.execution import run_pipeline, stack_assertions
from ml_code.execution.pipeline_execution import Snapshot, explain_failure, follow
from ml_code.execution.progress import show_plain
from ml_code.execution.run_pipeline import Clients, RunError, RunSettings, read_settings
from ml_code.execution.stack_assertions import AssertionsFailedError
from ml_code.pipeline.definition import PipelineSettings

ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/model-factory"
EXECUTION_ARN = f"{ARN}/execution/abc"
JOB_ARN = "arn:aws:sagemaker:us-east-1:123456789012:"
DEFINITION = '{"Version": "2020-12-01", "Steps": []}'
PIPELINE = PipelineSettings(
    pipeline_name="model-factory",
    region="us-east-1",
    role_arn="arn:aws:iam::123456789012:role/job",
    artifact_bucket="artifacts",
    mlflow_tracking_uri="arn",
    image_uri="image",
)
SETTINGS = RunSettings(
    pipeline=PIPELINE,
    data_bucket="data",
    data_prefix="raw/",
    artifact_bucket="artifacts",
    commit="0123456789abcdef",
    trigger_reason="push",
    request_token="t" * 32,
)
ENVIRONMENT = {
    "PIPELINE_SETTINGS": json.dumps(asdict(PIPELINE)),
    "DATA_BUCKET": "data",
    "ARTIFACT_BUCKET": "artifacts",
    "CODEBUILD_RESOLVED_SOURCE_VERSION": "0123456789abcdef",
}


class Passed:
    """Tests of the CDK app that passed before."""

    def check(self) -> None:
        pass

    def wait(self) -> None:
        pass

    def checked(self, snapshots: Iterator[Snapshot]) -> Iterator[Snapshot]:
        return snapshots


class Failing(Passed):
    """Tests of the CDK app that fail while the execution runs."""

    def checked(self, snapshots: Iterator[Snapshot]) -> Iterator[Snapshot]:
        yield next(snapshots)
        raise AssertionsFailedError("tests/stacks failed: exit status 1")


class FailedAtOnce(Passed):
    def check(self) -> None:
        raise AssertionsFailedError("tests/stacks failed: exit status 1")


class Stubs:
    def __init__(self) -> None:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
        names = ("s3", "sagemaker", "logs")
        made = {name: boto3.client(name, region_name="us-east-1", **keys) for name in names}
        self.clients = Clients(**made)
        self.s3, self.sagemaker, self.logs = (Stubber(made[name]) for name in names)
        for stub in (self.s3, self.sagemaker, self.logs):
            stub.activate()

    def expect_start(self, deployed: str = DEFINITION) -> None:
        self.sagemaker.add_response("describe_pipeline", {"PipelineDefinition": deployed})
        if deployed != DEFINITION:
            update = {"PipelineName": "model-factory", "PipelineDefinition": DEFINITION}
            self.sagemaker.add_response("update_pipeline", {"PipelineArn": ARN}, update)
        values = {
            "CodeUri": "s3://artifacts/code/0123456789abcdef/",
            "DataUri": "s3://data/raw/",
            "DataVersion": ANY,
            "CommitId": "0123456789abcdef",
            "TriggerReason": "push",
        }
        parameters = [{"Name": name, "Value": value} for name, value in values.items()]
        request: dict[str, Any] = {
            "PipelineName": "model-factory",
            "PipelineParameters": parameters,
            "ClientRequestToken": ANY,
        }
        self.sagemaker.add_response(
            "start_pipeline_execution", {"PipelineExecutionArn": EXECUTION_ARN}, request
        )

    def expect_end(self, status: str, *steps: dict[str, Any]) -> None:
        self.sagemaker.add_response("describe_pipeline_execution", {"PipelineExecutionStatus": status})
        self.sagemaker.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": list(steps)})

    def finish(self) -> None:
        for stub in (self.s3, self.sagemaker, self.logs):
            stub.assert_no_pending_responses()


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stubs]:
    monkeypatch.setattr(run_pipeline, "pipeline_definition", lambda spec, settings: DEFINITION)
    monkeypatch.setattr(run_pipeline, "get_wheels", lambda s3, bucket: {"a.whl": b""})
    monkeypatch.setattr(run_pipeline, "RESULT_FILE", tmp_path / "pipeline-result.env")
    monkeypatch.setattr(stack_assertions, "started", lambda s3, bucket: nullcontext(Passed()))
    made = Stubs()
    for key in ("source.tar.gz", "entry_point.py"):
        request = {"Bucket": "artifacts", "Key": f"code/0123456789abcdef/{key}", "Body": ANY}
        made.s3.add_response("put_object", {}, request)
    raw = {"Contents": [{"Key": "raw/digits.csv", "ETag": '"1"'}]}
    made.s3.add_response("list_objects_v2", raw, {"Bucket": "data", "Prefix": "raw/"})
    yield made
    made.finish()


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


def _step(name: str, status: str, **more: Any) -> dict[str, Any]:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    times = {"StartTime": start, "EndTime": start + timedelta(seconds=4)}
    return {"StepName": name, "StepStatus": status, **times, **more}


@pytest.mark.parametrize("deployed", [DEFINITION, '{"Steps": [],  "Version": "2020-12-01"}'])
def test_success_writes_the_version_and_updates_nothing(
    stubs: Stubs, deployed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_pipeline, "pipeline_definition", lambda spec, settings: deployed)
    stubs.expect_start()
    register = {"ProcessingJob": {"Arn": f"{JOB_ARN}processing-job/pipelines-abc-Register"}}
    stubs.expect_end("Succeeded", _step("Register", "Succeeded", Metadata=register))
    output = {
        "OutputName": "version",
        "S3Output": {"S3Uri": "s3://artifacts/runs/abc/v", "S3UploadMode": "EndOfJob"},
    }
    stubs.sagemaker.add_response(
        "describe_processing_job", _processing_job(ProcessingOutputConfig={"Outputs": [output]})
    )
    body = json.dumps({"name": "digits", "version": "3", "tags": {}}).encode()
    stubs.s3.add_response(
        "get_object",
        {"Body": StreamingBody(io.BytesIO(body), len(body))},
        {"Bucket": "artifacts", "Key": "runs/abc/v/version.json"},
    )
    assert run_pipeline.run(SETTINGS, stubs.clients) == 0
    written = run_pipeline.RESULT_FILE.read_text()
    assert written == f"MODEL_VERSION=3\nEXECUTION_ARN={EXECUTION_ARN}\n"


def test_a_failed_step_shows_its_reason_and_its_log(stubs: Stubs, capsys: pytest.CaptureFixture[str]) -> None:
    stubs.expect_start(deployed='{"Steps": [1]}')
    metadata = {"ProcessingJob": {"Arn": f"{JOB_ARN}processing-job/pipelines-abc-Preprocess"}}
    reason = "AlgorithmError: exit code 1"
    stubs.expect_end("Failed", _step("Preprocess", "Failed", FailureReason=reason, Metadata=metadata))
    stubs.sagemaker.add_response(
        "describe_processing_job", _processing_job(ExitMessage="SchemaError: column 'pixel_0_0', row 7")
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
    gate = _step("GateFailed", "Failed", Metadata={"Fail": {"ErrorMessage": message}})
    stubs.expect_end("Failed", gate)
    assert run_pipeline.run(SETTINGS, stubs.clients) == 1
    assert message in capsys.readouterr().out


def test_a_failed_tuning_job_names_a_training_job() -> None:
    stubs = Stubs()
    tuning = {"TuningJob": {"Arn": f"{JOB_ARN}hyper-parameter-tuning-job/abc-Tune"}}
    summary = {
        "TrainingJobName": "abc-Tune-001",
        "TrainingJobArn": f"{JOB_ARN}training-job/abc-Tune-001",
        "CreationTime": datetime(2026, 11, 1, tzinfo=UTC),
        "TrainingJobStatus": "Failed",
        "TunedHyperParameters": {},
    }
    stubs.sagemaker.add_response(
        "list_training_jobs_for_hyper_parameter_tuning_job", {"TrainingJobSummaries": [summary]}
    )
    stubs.sagemaker.add_response("describe_training_job", _training_job("ValueError: no such activation"))
    stubs.logs.add_client_error("describe_log_streams", "ResourceNotFoundException")
    step = _step("Tune", "Failed", FailureReason="all jobs failed", Metadata=tuning)
    ended = Snapshot(status="Failed", failure_reason="", steps=(step,))
    lines = list(explain_failure(stubs.clients.sagemaker, stubs.clients.logs, ended))
    assert lines[0] == "Step Tune failed: all jobs failed"
    assert lines[1] == "1 training jobs failed; abc-Tune-001: ValueError: no such activation"
    assert lines[2].startswith("There is no log of abc-Tune-001 in /aws/sagemaker/TrainingJobs")


def test_a_missing_pipeline_is_one_sentence() -> None:
    stubs = Stubs()
    stubs.sagemaker.add_client_error("describe_pipeline", "ResourceNotFound")
    with pytest.raises(RunError, match="no SageMaker pipeline 'model-factory': deploy the stack first"):
        run_pipeline.update_pipeline(stubs.clients.sagemaker, "model-factory", DEFINITION)


def test_following_ends_with_the_execution_and_slows_down() -> None:
    states = [Snapshot(status=status, failure_reason="", steps=()) for status in ("Executing",) * 3]
    answers = iter([*states, Snapshot(status="Succeeded", failure_reason="", steps=())])
    pauses: list[float] = []
    seen = list(follow(lambda: next(answers), pauses.append))
    assert [one.status for one in seen] == ["Executing"] * 3 + ["Succeeded"]
    assert len(pauses) == 3
    assert min(pauses) >= 1


def test_plain_progress_says_each_change_once() -> None:
    lines: list[str] = []
    running = Snapshot(status="Executing", failure_reason="", steps=(_step("Tune", "Executing"),))
    done = Snapshot(status="Succeeded", failure_reason="", steps=(_step("Tune", "Succeeded"),))
    assert show_plain([running, running, done], lines.append) == done
    assert [line.split(" s  ")[1] for line in lines] == ["Tune: Executing", "Tune: Succeeded after 4.0 s"]


def test_settings_come_from_the_environment() -> None:
    settings = read_settings({**ENVIRONMENT, "CODEBUILD_INITIATOR": "codepipeline/model-factory"}, None)
    assert settings.pipeline == PIPELINE
    assert (settings.commit, settings.trigger_reason) == ("0123456789abcdef", "push")
    assert read_settings(ENVIRONMENT, "fedc").commit == "fedc"
    assert read_settings(ENVIRONMENT, None).trigger_reason == "manual"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"DATA_BUCKET": ""}, "set the environment variable DATA_BUCKET"),
        ({"PIPELINE_SETTINGS": "{"}, "PIPELINE_SETTINGS is not the JSON"),
        ({"PIPELINE_SETTINGS": '{"colour": 1}'}, "PIPELINE_SETTINGS is not the JSON.*colour"),
        ({"CODEBUILD_RESOLVED_SOURCE_VERSION": ""}, "CODEBUILD_RESOLVED_SOURCE_VERSION"),
    ],
)
def test_a_wrong_environment_is_one_sentence(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(RunError, match=sentence):
        read_settings({**ENVIRONMENT, **change}, None)


def _processing_job(**more: Any) -> dict[str, Any]:
    return {
        "ProcessingJobName": "job",
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
        },
        "AppSpecification": {"ImageUri": "image"},
        "ProcessingJobArn": f"{JOB_ARN}processing-job/job",
        "ProcessingJobStatus": "Completed",
        "CreationTime": datetime(2026, 11, 1, tzinfo=UTC),
        **more,
    }


def _training_job(reason: str) -> dict[str, Any]:
    return {
        "TrainingJobName": "job",
        "TrainingJobArn": f"{JOB_ARN}training-job/job",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://artifacts/model.tar.gz"},
        "TrainingJobStatus": "Failed",
        "SecondaryStatus": "Failed",
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"VolumeSizeInGB": 30},
        "StoppingCondition": {},
        "CreationTime": datetime(2026, 11, 1, tzinfo=UTC),
        "FailureReason": reason,
    }


def test_the_data_s_version_changes_with_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = [{"Key": "raw/a.csv", "ETag": '"1"'}]
    versions = []
    for contents in (
        listing,
        listing,
        [*listing, {"Key": "raw/b.csv", "ETag": '"2"'}],
        [{**listing[0], "ETag": '"3"'}],
    ):
        stubs = Stubs()
        stubs.s3.add_response("list_objects_v2", {"Contents": contents})
        versions.append(run_pipeline.provide_data(stubs.clients.s3, "data", "raw/"))
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


def test_an_empty_bucket_gets_the_sample_data(monkeypatch: pytest.MonkeyPatch) -> None:
    stubs, request = Stubs(), {"Bucket": "data", "Prefix": "raw/"}
    stubs.s3.add_response("list_objects_v2", {}, request)
    stubs.s3.add_response(
        "list_objects_v2", {"Contents": [{"Key": "raw/digits.csv", "ETag": '"1"'}]}, request
    )
    uploaded: list[str] = []
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(stubs.clients.s3, "upload_file", lambda path, bucket, key: uploaded.append(key))
    run_pipeline.provide_data(stubs.clients.s3, "data", "raw/")
    assert uploaded == ["raw/digits.csv"]
    stubs.finish()


def test_an_empty_prefix_below_raw_is_refused() -> None:
    stubs = Stubs()
    stubs.s3.add_response("list_objects_v2", {})
    with pytest.raises(RunError, match="no data under s3://data/raw/2026/"):
        run_pipeline.provide_data(stubs.clients.s3, "data", "raw/2026/")
