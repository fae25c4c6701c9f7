import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from ml_code.execution.pipeline_execution import Snapshot, explain_failure, follow
from ml_code.execution.progress import show_plain
from tests.ml_code.execution.stubs import JOB_ARN, Stubs, step, training_job, tuning_job


def refused(code: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "DescribePipelineExecution")


def test_a_failed_tuning_job_names_a_training_job() -> None:
    stubs = Stubs()
    tuning = {"TuningJob": {"Arn": f"{JOB_ARN}hyper-parameter-tuning-job/abc-tune"}}
    summary = {
        "TrainingJobName": "abc-Tune-001",
        "TrainingJobArn": f"{JOB_ARN}training-job/abc-tune-001",
        "CreationTime": datetime(2026, 11, 1, tzinfo=UTC),
        "TrainingJobStatus": "Failed",
        "TunedHyperParameters": {},
    }
    stubs.sagemaker.add_response(
        "describe_hyper_parameter_tuning_job", tuning_job(), {"HyperParameterTuningJobName": "abc-tune"}
    )
    stubs.sagemaker.add_response(
        "list_training_jobs_for_hyper_parameter_tuning_job",
        {"TrainingJobSummaries": [summary]},
        {"HyperParameterTuningJobName": "abc-Tune", "StatusEquals": "Failed", "SortOrder": "Ascending"},
    )
    stubs.sagemaker.add_response("describe_training_job", training_job("ValueError: no such activation"))
    stubs.logs.add_client_error("describe_log_streams", "ResourceNotFoundException")
    failed = step("Tune", "Failed", FailureReason="all jobs failed", Metadata=tuning)
    ended = Snapshot(status="Failed", failure_reason="", steps=(failed,))
    lines = list(explain_failure(stubs.clients.sagemaker, stubs.clients.logs, ended))
    assert lines[0] == "Step Tune failed: all jobs failed"
    assert lines[1] == "1 training jobs failed; abc-Tune-001: ValueError: no such activation"
    assert lines[2].startswith("There is no log of abc-Tune-001 in /aws/sagemaker/TrainingJobs")


def test_following_ends_with_the_execution_and_slows_down() -> None:
    states = [Snapshot(status=status, failure_reason="", steps=()) for status in ("Executing",) * 3]
    answers = iter([*states, Snapshot(status="Succeeded", failure_reason="", steps=())])
    pauses: list[float] = []
    seen = list(follow(lambda: next(answers), pauses.append))
    assert [one.status for one in seen] == ["Executing"] * 3 + ["Succeeded"]
    assert len(pauses) == 3
    assert min(pauses) >= 2


def test_following_outlives_throttling_faults_and_no_connection() -> None:
    url = "https://api.sagemaker.us-east-1.amazonaws.com"
    ended = Snapshot(status="Succeeded", failure_reason="", steps=())
    answers = iter(
        [
            refused("ThrottlingException"),
            refused("InternalFailure", 500),
            EndpointConnectionError(endpoint_url=url),
        ]
    )

    def take() -> Snapshot:
        error = next(answers, None)
        if error is not None:
            raise error
        return ended

    pauses: list[float] = []
    assert list(follow(take, pauses.append)) == [ended]
    assert pauses == [30, 30, 30]


@pytest.mark.parametrize("error", [refused("AccessDeniedException", 403), NoCredentialsError()])
def test_following_ends_with_what_time_does_not_mend(error: Exception) -> None:
    def take() -> Snapshot:
        raise error

    pauses: list[float] = []
    with pytest.raises(type(error)):
        list(follow(take, pauses.append))
    assert pauses == []


def test_following_has_an_end_when_sagemaker_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def take() -> Snapshot:
        raise refused("ThrottlingException")

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(ClientError, match="Throttling"):
        list(follow(take, sleep))
    assert 1800 < now[0] < 1900


def test_plain_progress_says_each_change_once() -> None:
    lines: list[str] = []
    running = Snapshot(status="Executing", failure_reason="", steps=(step("Tune", "Executing"),))
    done = Snapshot(status="Succeeded", failure_reason="", steps=(step("Tune", "Succeeded"),))
    assert show_plain([running, running, done], lines.append) == done
    assert [line.split(" s  ")[1] for line in lines] == ["Tune: Executing", "Tune: Succeeded after 4.0 s"]
