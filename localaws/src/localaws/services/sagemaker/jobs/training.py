"""Training jobs in script mode: Create-, Describe-, Stop- and ListTrainingJob(s)."""

import re

from localaws.core.errors import Json, ServiceError
from localaws.core.listing import pick
from localaws.core.validation import refuse_members, refuse_values
from localaws.services.sagemaker.images import check_image
from localaws.services.sagemaker.jobs.cluster import DISTRIBUTIONS
from localaws.services.sagemaker.jobs.job_table import JobTable
from localaws.services.sagemaker.jobs.local_storage import check_volume
from localaws.services.sagemaker.jobs.training_job import KIND, OnMetric, TrainingJob
from localaws.services.sagemaker.quotas import SPOT_TRAINING, TRAINING, Use, instances
from localaws.services.sagemaker.shared import Shared

MEMBERS = {
    "TrainingJobName",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "Tags",
    "Environment",
    "EnableNetworkIsolation",
    "VpcConfig",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "DebugHookConfig",
    "ProfilerConfig",
    "ExperimentConfig",
}


def training_use(request: Json) -> Use:
    """The quota's use of a training job, or of each of a tuning job."""
    usage = SPOT_TRAINING if request.get("EnableManagedSpotTraining") else TRAINING
    resources = request["ResourceConfig"]
    return instances(resources["InstanceType"], usage, resources["InstanceCount"])


class Training:
    """The operations."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.table = JobTable(KIND)
        # Those of a tuning job are counted by it.
        shared.quotas.counted.append(
            lambda: [
                training_use(job.request)
                for job in self.table.running()
                if "TuningJobArn" not in job.description
            ]
        )

    def create_training_job(self, request: Json) -> Json:
        job = self.launch(request)
        return {"TrainingJobArn": job.arn}

    def launch(
        self, request: Json, *, tuning_job_arn: str = "", on_metric: OnMetric | None = None
    ) -> TrainingJob:
        """Start a job; tuning jobs start theirs here as well."""
        check(request)
        if not tuning_job_arn:
            self._shared.quotas.require(training_use(request))
        job = TrainingJob(self._shared.host, request, tuning_job_arn=tuning_job_arn, on_metric=on_metric)
        self.table.launch(self._shared, job)
        return job

    def describe_training_job(self, request: Json) -> Json:
        response: Json = self.table.get(request["TrainingJobName"]).describe()
        return response

    def stop_training_job(self, request: Json) -> Json:
        self.table.get(request["TrainingJobName"]).stop()
        return {}

    def list_training_jobs(self, request: Json) -> Json:
        members = ("TrainingJobName", "TrainingJobArn", "CreationTime", "LastModifiedTime")
        more = ("TrainingEndTime", "TrainingJobStatus", "SecondaryStatus")
        summaries = [pick(job.describe(), *members, *more) for job in self.table.all()]
        return self.table.page(request, summaries)


def check(request: Json) -> None:
    """Refuse what AWS refuses, and by name what the local AWS does not support."""
    refuse_members(request, MEMBERS, "CreateTrainingJob")
    specification = request["AlgorithmSpecification"]
    if "TrainingImage" not in specification:
        raise ServiceError("ValidationException", "The local AWS supports training by TrainingImage only.")
    check_image(specification["TrainingImage"])
    resources = request["ResourceConfig"]
    if "InstanceType" not in resources:
        raise ServiceError("ValidationException", "ResourceConfig.InstanceType must be given.")
    if "InstanceCount" not in resources:
        raise ServiceError("ValidationException", "ResourceConfig.InstanceCount must be given.")
    if resources["InstanceCount"] > 1 and request.get("EnableNetworkIsolation"):
        raise ServiceError(
            "ValidationException",
            "The local AWS does not support EnableNetworkIsolation with several instances.",
        )
    refuse_values({"TrainingInputMode": (specification.get("TrainingInputMode"), ("File",))})
    check_volume(resources)
    _check_spot(request)
    for channel in request.get("InputDataConfig", []):
        _check_channel(channel)
    for definition in specification.get("MetricDefinitions", []):
        try:
            groups = re.compile(definition["Regex"]).groups
        except re.error as error:
            raise ServiceError("ValidationException", f"Invalid metric Regex: {error}") from error
        if groups < 1:
            raise ServiceError("ValidationException", f"Metric Regex {definition['Regex']!r} has no group.")


def _check_spot(request: Json) -> None:
    """Check the members of spot training; no spot instance is ever taken away here, as on a good day on AWS."""
    spot, limits = request.get("EnableManagedSpotTraining", False), request["StoppingCondition"]
    wait, runtime = limits.get("MaxWaitTimeInSeconds"), limits.get("MaxRuntimeInSeconds", 0)
    if spot and (wait is None or wait < runtime):
        raise ServiceError(
            "ValidationException",
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds "
            f"when EnableManagedSpotTraining is True; got {wait!r} and {runtime}.",
        )
    if wait is not None and not spot:
        raise ServiceError(
            "ValidationException",
            "MaxWaitTimeInSeconds above 0 must not be present when EnableManagedSpotTraining is False.",
        )
    if spot and request["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
        raise ServiceError(
            "ValidationException", "KeepAlivePeriodInSeconds is not supported with managed spot training."
        )


def _check_channel(channel: Json) -> None:
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise ServiceError("ValidationException", "The local AWS supports input channels from S3 only.")
    refuse_values(
        {
            "S3DataType": (source["S3DataType"], ("S3Prefix",)),
            "S3DataDistributionType": (source.get("S3DataDistributionType"), DISTRIBUTIONS),
            "InputMode": (channel.get("InputMode"), ("File",)),
            "CompressionType": (channel.get("CompressionType"), ("None",)),
            "RecordWrapperType": (channel.get("RecordWrapperType"), ("None",)),
        }
    )
