"""Jobs that run, and what all jobs logged."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import boto3

from ml_code.contracts import JobLogs, TeardownProperty
from stacks.teardown.function.calls import pages, snake, unless_missing, unless_settled
from stacks.teardown.function.deadline import Deadline
from stacks.teardown.function.ownership import is_own

_RUNNING_EXECUTION = ("Executing", "Stopping")
_RUNNING_JOB = ("InProgress", "Stopping")
# Key of a pipeline step's metadata, and the word that SageMaker's calls use.
_JOB_KINDS = {"ProcessingJob": "ProcessingJob", "TuningJob": "HyperParameterTuningJob"}
# Where SageMaker writes the jobs of a whole account, and what follows a job's name in the names of its streams;
# a tuning job's training jobs are named after it.
_JOB_LOGS = {
    "ProcessingJob": (JobLogs.PROCESSING, "/"),
    "HyperParameterTuningJob": (JobLogs.TRAINING, "-"),
}


class Jobs:
    def __init__(self, names: dict[str, Any], deadline: Deadline) -> None:
        self.names = names
        self.deadline = deadline
        self.sagemaker = boto3.client("sagemaker")
        self.logs = boto3.client("logs")

    def stop_executions(self) -> None:
        """Stop executions of SageMaker pipelines and, without waiting for SageMaker to do it, their jobs."""
        running = self.running_executions()
        jobs = [job for execution in running for job in self.jobs_of(execution)]
        for execution in running:
            print("stopping", execution)
            unless_settled(self.sagemaker.stop_pipeline_execution, PipelineExecutionArn=execution)
        self.stop(jobs)
        self.deadline.wait(lambda: not self.running_executions(), "executions of SageMaker pipelines to stop")
        self.deadline.wait(lambda: not any(self.is_running(*job) for job in jobs), "jobs to stop")

    def stop_transform_jobs(self) -> None:
        jobs = [("TransformJob", name) for name in self.transform_jobs]
        self.stop(jobs)
        self.deadline.wait(lambda: not any(self.is_running(*job) for job in jobs), "transform jobs to stop")

    @cached_property
    def transform_jobs(self) -> list[str]:
        """Names of the factory's own: those of a factory `<name>-batch` begin in the same way."""
        return [
            job["TransformJobName"]
            for prefix in self.names.get(TeardownProperty.BATCH_PREFIXES, [])
            for job in pages(
                self.sagemaker, "list_transform_jobs", "TransformJobSummaries", NameContains=prefix
            )
            if job["TransformJobName"].startswith(prefix)
            and is_own(self.sagemaker, self.names, job["TransformJobArn"])
        ]

    def delete_logs(self) -> None:
        """Delete the log streams of the factory's own jobs: the log groups are the account's."""
        removed = 0
        for execution in self.executions():
            for kind, job in self.jobs_of(execution["PipelineExecutionArn"]):
                group, separator = _JOB_LOGS[kind]
                if described := self.describe(kind, job):
                    name = described[f"{kind}Name"]
                    removed += self.delete_streams(group, f"{name}{separator}")
        for job in self.transform_jobs:
            removed += self.delete_streams(JobLogs.TRANSFORM, f"{job}/")
        print(removed, "log streams of jobs removed")

    def stop(self, jobs: list[tuple[str, str]]) -> None:
        for kind, name in jobs:
            if self.is_running(kind, name):
                print("stopping", name)
                stop = getattr(self.sagemaker, f"stop_{snake(kind)}")
                unless_settled(stop, **{f"{kind}Name": name})

    def is_running(self, kind: str, name: str) -> bool:
        job = self.describe(kind, name)
        return job is not None and job[f"{kind}Status"] in _RUNNING_JOB

    def describe(self, kind: str, name: str) -> Any:
        """The description of a job, None when there is no such job."""
        call = getattr(self.sagemaker, f"describe_{snake(kind)}")
        return unless_missing(call, **{f"{kind}Name": name})

    def executions(self) -> list[Any]:
        return [
            execution
            for name in self.names.get(TeardownProperty.SAGEMAKER_PIPELINE_NAMES, [])
            for execution in pages(
                self.sagemaker, "list_pipeline_executions", "PipelineExecutionSummaries", PipelineName=name
            )
        ]

    def running_executions(self) -> list[str]:
        return [
            summary["PipelineExecutionArn"]
            for summary in self.executions()
            if summary["PipelineExecutionStatus"] in _RUNNING_EXECUTION
        ]

    def jobs_of(self, execution: str) -> Iterator[tuple[str, str]]:
        """Type and name of the jobs that an execution started, as far as the factory has such steps.

        The names are in lower case, as ARNs have them: Describe and Stop take them, log streams keep the capitals.
        """
        steps = pages(
            self.sagemaker,
            "list_pipeline_execution_steps",
            "PipelineExecutionSteps",
            PipelineExecutionArn=execution,
        )
        for step in steps:
            for key, kind in _JOB_KINDS.items():
                if arn := step.get("Metadata", {}).get(key, {}).get("Arn"):
                    yield kind, arn.rsplit("/", 1)[1]

    def delete_streams(self, group: str, prefix: str) -> int:
        streams = pages(
            self.logs, "describe_log_streams", "logStreams", logGroupName=group, logStreamNamePrefix=prefix
        )
        for stream in streams:
            unless_missing(
                self.logs.delete_log_stream, logGroupName=group, logStreamName=stream["logStreamName"]
            )
            self.deadline.check("log streams of jobs to be removed")
        return len(streams)
