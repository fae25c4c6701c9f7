"""One execution of the SageMaker pipeline: start it, follow it, say why it failed."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ml_code.contracts import JobLogs
from ml_code.retries import is_temporary

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_sagemaker import SageMakerClient
    from types_boto3_sagemaker.type_defs import (
        DescribeProcessingJobResponseTypeDef,
        PipelineExecutionStepTypeDef,
    )

RUNNING = ("Executing", "Stopping")
# DescribeEndpoint was throttled when asked every five seconds (aws/sagemaker-python-sdk#1204).
POLL_SECONDS_AT_LEAST, POLL_SECONDS_AT_MOST = 2.0, 30.0
# How long SageMaker may leave the questions unanswered, besides botocore's own attempts.
PATIENCE_SECONDS = 1800.0
LOG_LINES = 50


@dataclass(frozen=True, kw_only=True)
class StepState:
    name: str
    status: str
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An execution at one moment; `steps` are SageMaker's own records, in order of their start."""

    status: str
    failure_reason: str
    steps: tuple["PipelineExecutionStepTypeDef", ...]

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING

    def states(self, now: datetime) -> list[StepState]:
        return [
            StepState(name=step["StepName"], status=step["StepStatus"], seconds=_seconds(step, now))
            for step in self.steps
        ]


def snapshot(sagemaker: "SageMakerClient", execution_arn: str) -> Snapshot:
    execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution_arn)
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution_arn, SortOrder="Ascending"
    )
    return Snapshot(
        status=execution["PipelineExecutionStatus"],
        failure_reason=execution.get("FailureReason", ""),
        steps=tuple(step for page in pages for step in page["PipelineExecutionSteps"]),
    )


def follow(
    take_snapshot: Callable[[], Snapshot], sleep: Callable[[float], None] = time.sleep
) -> Iterator[Snapshot]:
    """Snapshots until the execution has ended; seldom when nothing has changed for long.

    The execution goes on while SageMaker throttles or does not answer: so does this.
    """
    changed = answered = time.monotonic()
    last = None
    while True:
        try:
            current = take_snapshot()
        except (BotoCoreError, ClientError) as error:
            if not is_temporary(error) or time.monotonic() - answered > PATIENCE_SECONDS:
                raise
            print(f"no answer, asking again: {error}", flush=True)
            sleep(POLL_SECONDS_AT_MOST)
            continue
        answered = time.monotonic()
        yield current
        if not current.is_running:
            return
        statuses = [(step["StepName"], step["StepStatus"]) for step in current.steps]
        if statuses != last:
            changed, last = time.monotonic(), statuses
        pause = (time.monotonic() - changed) / 10
        sleep(min(max(pause, POLL_SECONDS_AT_LEAST), POLL_SECONDS_AT_MOST))


def explain_failure(
    sagemaker: "SageMakerClient", logs: "CloudWatchLogsClient", ended: Snapshot
) -> Iterator[str]:
    """The lines that explain a failure: each failed step's reason, then the last lines of its job's log."""
    failed = [step for step in ended.steps if step["StepStatus"] == "Failed"]
    if not failed:
        yield f"The execution is {ended.status}. {ended.failure_reason}".strip()
    for step in failed:
        yield from _explain_step(sagemaker, logs, step)


def _explain_step(
    sagemaker: "SageMakerClient", logs: "CloudWatchLogsClient", step: "PipelineExecutionStepTypeDef"
) -> Iterator[str]:
    metadata = step.get("Metadata", {})
    reason = step.get("FailureReason", "SageMaker gives no reason")
    if "Fail" in metadata:
        reason = metadata["Fail"].get("ErrorMessage", reason)
    yield f"Step {step['StepName']} failed: {reason}"
    if "ProcessingJob" in metadata:
        job = describe_processing_job(sagemaker, step)
        message = job.get("ExitMessage", "")
        if message and message not in reason:
            yield message
        yield from last_log_lines(logs, JobLogs.PROCESSING, job["ProcessingJobName"])
    elif "TuningJob" in metadata:
        tuning_job = sagemaker.describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=_lower_case_name(metadata["TuningJob"]["Arn"])
        )
        yield from _explain_tuning(sagemaker, logs, tuning_job["HyperParameterTuningJobName"])


def describe_processing_job(
    sagemaker: "SageMakerClient", step: "PipelineExecutionStepTypeDef"
) -> "DescribeProcessingJobResponseTypeDef":
    """The job of a processing step, with its name as its log has it."""
    name = _lower_case_name(step["Metadata"]["ProcessingJob"]["Arn"])
    return sagemaker.describe_processing_job(ProcessingJobName=name)


def _explain_tuning(
    sagemaker: "SageMakerClient", logs: "CloudWatchLogsClient", tuning_job: str
) -> Iterator[str]:
    """Training jobs mostly fail alike: one of them says it."""
    failed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=tuning_job, StatusEquals="Failed", SortOrder="Ascending"
    )["TrainingJobSummaries"]
    if not failed:
        return
    name = failed[0]["TrainingJobName"]
    reason = sagemaker.describe_training_job(TrainingJobName=name).get("FailureReason", "no reason given")
    yield f"{len(failed)} training jobs failed; {name}: {reason}"
    yield from last_log_lines(logs, JobLogs.TRAINING, name)


def last_log_lines(logs: "CloudWatchLogsClient", group: str, job_name: str) -> Iterator[str]:
    try:
        answer = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job_name}/")
        streams = answer["logStreams"]
    except logs.exceptions.ResourceNotFoundException:
        streams = []
    if not streams:
        yield f"There is no log of {job_name} in {group}: it ended before it wrote one."
    for stream in streams:
        name = stream["logStreamName"]
        events = logs.get_log_events(
            logGroupName=group, logStreamName=name, limit=LOG_LINES, startFromHead=False
        )["events"]
        yield f"The end of {group} {name}:" if events else f"{group} {name} is empty."
        yield from (f"  {event['message'].rstrip()}" for event in events)


def _lower_case_name(arn: str) -> str:
    """Describe and Stop take it; names and log streams keep the capitals that an ARN loses."""
    return arn.rpartition("/")[2]


def _seconds(step: "PipelineExecutionStepTypeDef", now: datetime) -> float | None:
    if "StartTime" not in step:
        return None
    return float((step.get("EndTime", now) - step["StartTime"]).total_seconds())


def utc_now() -> datetime:
    return datetime.now(UTC)
