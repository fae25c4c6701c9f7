"""Processing jobs: CreateProcessingJob, DescribeProcessingJob, StopProcessingJob, ListProcessingJobs."""

import json
import time
from contextlib import closing
from typing import Any

from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Credentials
from localaws.core.listing import now, pick
from localaws.core.validation import refuse_members, refuse_values
from localaws.services.sagemaker.images import check_image
from localaws.services.sagemaker.jobs.cluster import DISTRIBUTIONS
from localaws.services.sagemaker.jobs.container import Container
from localaws.services.sagemaker.jobs.host import Host
from localaws.services.sagemaker.jobs.job import MESSAGE_LIMIT, Job, JobFailed, JobKind
from localaws.services.sagemaker.jobs.job_table import JobTable
from localaws.services.sagemaker.jobs.local_storage import check_volume
from localaws.services.sagemaker.jobs.request import output_encryption
from localaws.services.sagemaker.jobs.storage import upload_directory
from localaws.services.sagemaker.quotas import PROCESSING, Use, instances
from localaws.services.sagemaker.shared import Shared

KIND = JobKind("processing-job", "ProcessingJob", "/aws/sagemaker/ProcessingJobs")
MEMBERS = {
    "ProcessingJobName",
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "StoppingCondition",
    "AppSpecification",
    "Environment",
    "RoleArn",
    "Tags",
    "ExperimentConfig",
    "NetworkConfig",
}
INPUT_MEMBERS = {"InputName", "S3Input", "AppManaged"}
OUTPUT_MEMBERS = {"OutputName", "S3Output", "AppManaged"}
DEFAULT_MAX_RUNTIME_SECONDS = 86_400


class ProcessingJob(Job):
    kind = KIND

    def __init__(self, host: Host, request: Json) -> None:
        super().__init__(host, request)
        self._failed: list[Container] = []

    def _work(self, containers: list[Container], credentials: Credentials) -> None:
        s3 = self._account.client("s3", credentials)
        for container in containers:
            self._lay_out(container, s3)
        self._change(ProcessingStartTime=now())
        try:
            self._on_each_host(containers, lambda container: self._run_container(container, credentials))
        except JobFailed:
            self._upload(containers, s3)
            raise
        finally:
            self._change(ProcessingEndTime=now(), **self._exit_message(containers))
        self._upload(containers, s3)

    def _lay_out(self, container: Container, s3: Any) -> None:
        self._write_configuration(container)
        for item in self.request.get("ProcessingInputs", []):
            source = item["S3Input"]
            self._download(s3, source, container.path(source["LocalPath"]), container)
        for item in self._outputs:
            container.path(item["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)

    @property
    def _outputs(self) -> list[Json]:
        outputs: list[Json] = self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        return outputs

    def _upload(self, containers: list[Container], s3: Any) -> None:
        """Each host's files; of equal names, those of the last."""
        for container in containers:
            for item in self._outputs:
                target = item["S3Output"]
                directory = container.path(target["LocalPath"])
                upload_directory(s3, directory, target["S3Uri"], output_encryption(self.request))

    def _run_container(self, container: Container, credentials: Credentials) -> None:
        application = self.request["AppSpecification"]
        command = [*application["ContainerEntrypoint"], *application.get("ContainerArguments", [])]
        limit = self.request.get("StoppingCondition", {}).get(
            "MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS
        )
        environment = container.environment(
            aws={**self._account.environment(credentials), "PROCESSING_JOB_NAME": self.name},
            request=self.request.get("Environment", {}),
        )
        with closing(self._log(credentials, container)) as log:
            code = self._execute(
                container,
                command,
                environment=environment,
                working_directory=None,
                on_line=log.write,
                deadline=time.monotonic() + limit,
            )
        if code:
            with self.lock:
                self._failed.append(container)
            raise JobFailed("AlgorithmError: See job logs for more information")

    def _exit_message(self, containers: list[Container]) -> Json:
        """The message of the host that failed first, else of the first that left one."""
        for container in [*self._failed, *containers]:
            path = container.path("/opt/ml/output/message")
            if path.is_file():
                return {"ExitMessage": path.read_text(errors="replace")[:MESSAGE_LIMIT]}
        return {}

    def _write_configuration(self, container: Container) -> None:
        directory = container.path("/opt/ml/config")
        directory.mkdir(parents=True)
        container.path("/opt/ml/output").mkdir()
        described = container.localise({**self.request, "ProcessingJobArn": self.arn})
        described.pop("Tags", None)
        (directory / "processingjobconfig.json").write_text(json.dumps(described))
        cluster = self.request["ProcessingResources"]["ClusterConfig"]
        resources = {
            "current_host": container.name,
            "hosts": container.cluster.names,
            "current_instance_type": cluster["InstanceType"],
        }
        (directory / "resourceconfig.json").write_text(json.dumps(resources))


class Processing:
    """The operations."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.table = JobTable(KIND)
        shared.quotas.counted.append(lambda: [_use(job.request) for job in self.table.running()])

    def create_processing_job(self, request: Json) -> Json:
        _check(request)
        self._shared.quotas.require(_use(request))
        job = ProcessingJob(self._shared.host, request)
        self.table.launch(self._shared, job)
        return {"ProcessingJobArn": job.arn}

    def describe_processing_job(self, request: Json) -> Json:
        response: Json = self.table.get(request["ProcessingJobName"]).describe()
        return response

    def stop_processing_job(self, request: Json) -> Json:
        self.table.get(request["ProcessingJobName"]).stop()
        return {}

    def list_processing_jobs(self, request: Json) -> Json:
        members = ("ProcessingJobName", "ProcessingJobArn", "CreationTime", "LastModifiedTime")
        more = ("ProcessingJobStatus", "ProcessingEndTime", "FailureReason", "ExitMessage")
        summaries = [pick(job.describe(), *members, *more) for job in self.table.all()]
        return self.table.page(request, summaries)


def _use(request: Json) -> Use:
    cluster = request["ProcessingResources"]["ClusterConfig"]
    return instances(cluster["InstanceType"], PROCESSING, cluster["InstanceCount"])


def _check(request: Json) -> None:
    refuse_members(request, MEMBERS, "CreateProcessingJob")
    check_image(request["AppSpecification"]["ImageUri"])
    if not request["AppSpecification"].get("ContainerEntrypoint"):
        raise ServiceError("ValidationException", "AppSpecification.ContainerEntrypoint must be given.")
    network = request.get("NetworkConfig", {})
    refuse_members(
        network,
        {"EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "VpcConfig"},
        "NetworkConfig",
    )
    cluster = request["ProcessingResources"]["ClusterConfig"]
    check_volume(cluster)
    if cluster["InstanceCount"] > 1 and network.get("EnableNetworkIsolation"):
        raise ServiceError(
            "ValidationException",
            "The local AWS does not support EnableNetworkIsolation with several instances.",
        )
    for item in request.get("ProcessingInputs", []):
        refuse_members(item, INPUT_MEMBERS, "ProcessingInputs")
        source = item["S3Input"]
        refuse_values(
            {
                "S3DataType": (source["S3DataType"], ("S3Prefix",)),
                "S3InputMode": (source.get("S3InputMode"), ("File",)),
                "S3DataDistributionType": (source.get("S3DataDistributionType"), DISTRIBUTIONS),
                "S3CompressionType": (source.get("S3CompressionType"), ("None",)),
                "AppManaged": (item.get("AppManaged"), (False,)),
            }
        )
        _check_local_path(source.get("LocalPath"))
    for item in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
        refuse_members(item, OUTPUT_MEMBERS, "ProcessingOutputConfig")
        refuse_values({"S3UploadMode": (item["S3Output"]["S3UploadMode"], ("EndOfJob",))})
        _check_local_path(item["S3Output"].get("LocalPath"))


def _check_local_path(path: str | None) -> None:
    if path is None or not path.startswith("/opt/ml/processing/"):
        raise ServiceError(
            "ValidationException", f"LocalPath must be below /opt/ml/processing/, got {path!r}."
        )
