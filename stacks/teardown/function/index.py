"""Runs first on `cdk destroy`: stops what runs and removes what run-time code made of one factory.

Names come as properties of the custom resource. Nothing is touched that does not bear them; endpoints,
configurations, models and model package groups must carry the factory's tag as well.
"""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.exceptions import ClientError

# The function itself has 900 s; the answer to CloudFormation must still go out.
BUDGET_SECONDS = 840.0
POLL_SECONDS = 3.0
PHYSICAL_ID = "model-factory-teardown"
_RUNNING_EXECUTION = ("Executing", "Stopping")
_RUNNING_JOB = ("InProgress", "Stopping")
# Key of a pipeline step's metadata, and the word that SageMaker's calls use.
_JOB_KINDS = {"ProcessingJob": "ProcessingJob", "TuningJob": "HyperParameterTuningJob"}
# Where SageMaker writes the jobs of a whole account, and what follows a job's name in the names of its streams;
# a tuning job's training jobs are named after it.
_JOB_LOGS = {
    "ProcessingJob": ("/aws/sagemaker/ProcessingJobs", "/"),
    "HyperParameterTuningJob": ("/aws/sagemaker/TrainingJobs", "-"),
}
_MISSING_CODES = (
    "NoSuchBucket",
    "PipelineNotFoundException",
    "ResourceNotFound",
    "ResourceNotFoundException",
)
_SETTLED_CODES = (
    "ConflictException",
    "DuplicatedStopRequestException",
    "PipelineExecutionNotStoppableException",
    "ValidationException",
)


class TimeBudgetSpentError(Exception):
    """Something is still there at the end of the time; a second `cdk destroy` goes on."""


def handler(event: dict[str, Any], context: Any) -> None:
    print(event["RequestType"], json.dumps(event.get("ResourceProperties", {})))
    status, reason = "SUCCESS", ""
    if event["RequestType"] == "Delete":
        try:
            Teardown(event["ResourceProperties"], time.monotonic() + BUDGET_SECONDS).run()
        except Exception as error:  # without an answer CloudFormation waits an hour
            status, reason = "FAILED", f"{type(error).__name__}: {error}"
            print(reason)
    respond(event, status, reason)


def respond(event: dict[str, Any], status: str, reason: str) -> None:
    body = {
        "Status": status,
        "Reason": reason[:1000],
        "PhysicalResourceId": PHYSICAL_ID,
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    # The signature of the address covers an empty content type.
    request = urllib.request.Request(  # noqa: S310 (the address is CloudFormation's)
        event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        print(status, response.status)


class Teardown:
    def __init__(self, names: dict[str, Any], deadline: float) -> None:
        self.names = names
        self.deadline = deadline
        self.events = boto3.client("events")
        self.scheduler = boto3.client("scheduler")
        self.codepipeline = boto3.client("codepipeline")
        self.codebuild = boto3.client("codebuild")
        self.sagemaker = boto3.client("sagemaker")
        self.logs = boto3.client("logs")
        self.s3 = boto3.client("s3")

    def run(self) -> None:
        """In this order: nothing starts anew, nothing writes any more, then what was written goes."""
        for rule in self.names["RuleNames"]:
            unless_missing(self.events.disable_rule, Name=rule)
        for schedule in self.names["ScheduleNames"]:
            # Not disabled: a function that still runs would enable it again.
            unless_missing(self.scheduler.delete_schedule, Name=schedule)
        self.stop_delivery()
        for project in self.names["BuildProjectNames"]:
            self.stop_builds(project)
        self.stop_executions()
        for endpoint in self.names["EndpointNames"]:
            self.delete_endpoint(endpoint)
        self.stop_batches(self.names["BatchPrefix"])
        for prefix in [*(f"{name}-" for name in self.names["EndpointNames"]), self.names["BatchPrefix"]]:
            self.delete_configs_and_models(prefix)
        self.delete_model_package_groups()
        for bucket in self.names["BucketNames"]:
            unless_missing(self.empty_bucket, bucket=bucket)
        self.delete_job_logs()

    def stop_delivery(self) -> None:
        """What a git trigger starts meanwhile, which nothing disables, ends at the closed door of the first build."""
        name = self.names["DeliveryPipelineName"]
        unless_missing(
            self.codepipeline.disable_stage_transition,
            pipelineName=name,
            stageName=self.names["FirstBuildStage"],
            transitionType="Inbound",
            reason="The factory is being destroyed",
        )
        for execution in pages(
            self.codepipeline, "list_pipeline_executions", "pipelineExecutionSummaries", pipelineName=name
        ):
            if execution["status"] == "InProgress":
                print("stopping delivery", execution["pipelineExecutionId"])
                unless_settled(
                    self.codepipeline.stop_pipeline_execution,
                    pipelineName=name,
                    pipelineExecutionId=execution["pipelineExecutionId"],
                    abandon=True,
                    reason="The factory is being destroyed",
                )

    def running_builds(self, project: str) -> list[str]:
        ids = pages(self.codebuild, "list_builds_for_project", "ids", projectName=project)[:100]
        builds = self.codebuild.batch_get_builds(ids=ids)["builds"] if ids else []
        return [build["id"] for build in builds if build["buildStatus"] == "IN_PROGRESS"]

    def stop_builds(self, project: str) -> None:
        for build in self.running_builds(project):
            print("stopping build", build)
            self.codebuild.stop_build(id=build)
        self.wait(lambda: not self.running_builds(project), f"builds of {project} to stop")

    def stop_executions(self) -> None:
        """Stop executions of SageMaker pipelines and, without waiting for SageMaker to do it, their jobs."""
        running = self.running_executions()
        jobs = [job for execution in running for job in self.jobs(execution)]
        for execution in running:
            print("stopping", execution)
            unless_settled(self.sagemaker.stop_pipeline_execution, PipelineExecutionArn=execution)
        self.stop_jobs(jobs)
        self.wait(lambda: not self.running_executions(), "executions of SageMaker pipelines to stop")
        self.wait(lambda: not any(self.is_running(*job) for job in jobs), "jobs to stop")

    def stop_jobs(self, jobs: list[tuple[str, str]]) -> None:
        for kind, name in jobs:
            if self.is_running(kind, name):
                print("stopping", name)
                stop = getattr(self.sagemaker, f"stop_{snake(kind)}")
                unless_settled(stop, **{f"{kind}Name": name})

    def running_executions(self) -> list[str]:
        return [
            summary["PipelineExecutionArn"]
            for summary in self.executions()
            if summary["PipelineExecutionStatus"] in _RUNNING_EXECUTION
        ]

    def executions(self) -> list[Any]:
        return [
            execution
            for name in self.names["SageMakerPipelineNames"]
            for execution in pages(
                self.sagemaker, "list_pipeline_executions", "PipelineExecutionSummaries", PipelineName=name
            )
        ]

    def delete_job_logs(self) -> None:
        """Only the streams of the factory's own jobs: the log groups are the account's."""
        removed = 0
        for execution in self.executions():
            for kind, job in self.jobs(execution["PipelineExecutionArn"]):
                group, separator = _JOB_LOGS[kind]
                removed += self.delete_streams(group, f"{job}{separator}")
        removed += self.delete_streams("/aws/sagemaker/TransformJobs", self.names["BatchPrefix"])
        print(removed, "log streams of jobs removed")

    def delete_streams(self, group: str, prefix: str) -> int:
        streams = pages(
            self.logs, "describe_log_streams", "logStreams", logGroupName=group, logStreamNamePrefix=prefix
        )
        for stream in streams:
            unless_missing(
                self.logs.delete_log_stream, logGroupName=group, logStreamName=stream["logStreamName"]
            )
            self.check_time("log streams of jobs to be removed")
        return len(streams)

    def jobs(self, execution: str) -> Iterator[tuple[str, str]]:
        """Type and name of the jobs that an execution started, as far as the factory has such steps."""
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

    def stop_batches(self, prefix: str) -> None:
        jobs = [
            ("TransformJob", job["TransformJobName"])
            for job in pages(
                self.sagemaker, "list_transform_jobs", "TransformJobSummaries", NameContains=prefix
            )
            if job["TransformJobName"].startswith(prefix)
        ]
        self.stop_jobs(jobs)
        self.wait(lambda: not any(self.is_running(*job) for job in jobs), "transform jobs to stop")

    def is_running(self, kind: str, name: str) -> bool:
        describe = getattr(self.sagemaker, f"describe_{snake(kind)}")
        job = unless_missing(describe, **{f"{kind}Name": name})
        return job is not None and job[f"{kind}Status"] in _RUNNING_JOB

    def delete_endpoint(self, name: str) -> None:
        def is_gone() -> bool:
            endpoint = unless_missing(self.sagemaker.describe_endpoint, EndpointName=name)
            if endpoint is None:
                return True
            if not self.is_ours(endpoint["EndpointArn"]):
                print("left alone, without the factory's tag:", name)
                return True
            # SageMaker refuses to delete what it is creating or updating.
            if endpoint["EndpointStatus"] not in ("Creating", "Updating", "RollingBack", "Deleting"):
                print("deleting endpoint", name)
                unless_settled(self.sagemaker.delete_endpoint, EndpointName=name)
            return False

        self.wait(is_gone, f"endpoint {name} to be deleted")

    def delete_configs_and_models(self, prefix: str) -> None:
        for kind in ("EndpointConfig", "Model"):
            delete = getattr(self.sagemaker, f"delete_{snake(kind)}")
            found = pages(self.sagemaker, f"list_{snake(kind)}s", f"{kind}s", NameContains=prefix)
            for item in found:
                name = item[f"{kind}Name"]
                if name.startswith(prefix) and self.is_ours(item[f"{kind}Arn"]):
                    print("deleting", kind, name)
                    unless_missing(delete, **{f"{kind}Name": name})

    def delete_model_package_groups(self) -> None:
        """The factory makes none: they are of steps that a team added, or of MLflow's synchronisation."""
        factory = self.names["FactoryName"]
        groups = pages(
            self.sagemaker,
            "list_model_package_groups",
            "ModelPackageGroupSummaryList",
            NameContains=factory,
        )
        for group in groups:
            name, arn = group["ModelPackageGroupName"], group["ModelPackageGroupArn"]
            if (name == factory or name.startswith(f"{factory}-")) and self.is_ours(arn):
                print("deleting model package group", name)
                self.delete_model_packages(name)
                unless_missing(self.sagemaker.delete_model_package_group, ModelPackageGroupName=name)

    def delete_model_packages(self, group: str) -> None:
        packages = pages(
            self.sagemaker, "list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName=group
        )
        for package in packages:
            unless_missing(self.sagemaker.delete_model_package, ModelPackageName=package["ModelPackageArn"])
            self.check_time(f"model packages of {group} to be deleted")

    def is_ours(self, arn: str) -> bool:
        tags = pages(self.sagemaker, "list_tags", "Tags", ResourceArn=arn)
        return {"Key": self.names["FactoryTagKey"], "Value": self.names["FactoryName"]} in tags

    def empty_bucket(self, bucket: str) -> None:
        for upload in pages(self.s3, "list_multipart_uploads", "Uploads", Bucket=bucket):
            self.s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        removed = 0
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            keys = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
            if not keys:
                continue
            answer = self.s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
            if errors := answer.get("Errors"):
                raise RuntimeError(f"{bucket}: {len(errors)} objects stay, first {errors[0]}")
            removed += len(keys)
            self.check_time(f"objects of {bucket} to be removed")
        print(bucket, removed, "objects removed")

    def wait(self, is_done: Callable[[], bool], what: str) -> None:
        while not is_done():
            self.check_time(what)
            time.sleep(POLL_SECONDS)

    def check_time(self, what: str) -> None:
        if time.monotonic() > self.deadline:
            raise TimeBudgetSpentError(f"waited too long for {what}; run cdk destroy again")


def snake(words: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in words).lstrip("_")


def pages(client: Any, operation: str, key: str, **arguments: Any) -> list[Any]:
    """The items under `key` of all pages; none when what is listed is not there."""

    def items() -> list[Any]:
        found = client.get_paginator(operation).paginate(**arguments)
        return [item for page in found for item in page.get(key, ())]

    return unless_missing(items) or []


def unless_missing(call: Callable[..., Any], **arguments: Any) -> Any:
    """What the call returns; None when what it is about does not exist, as after a half-finished destroy."""
    try:
        return call(**arguments)
    except ClientError as error:
        # SageMaker has no error code of its own for most of its things.
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"].lower()
        is_missing = "could not find" in message or "does not exist" in message
        if code in _MISSING_CODES or (code == "ValidationException" and is_missing):
            return None
        raise


def unless_settled(call: Callable[..., Any], **arguments: Any) -> None:
    """For what may end by itself between look and call: the next look tells."""
    try:
        unless_missing(call, **arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _SETTLED_CODES:
            raise
        print("refused for now:", error)
