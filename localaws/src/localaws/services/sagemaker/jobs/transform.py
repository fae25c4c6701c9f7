"""Transform jobs: CreateTransformJob, DescribeTransformJob, StopTransformJob, ListTransformJobs."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import urllib3
from botocore.exceptions import ClientError

from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Credentials
from localaws.core.listing import now, pick
from localaws.core.validation import refuse_members, refuse_values
from localaws.services.logs.writer import LogWriter
from localaws.services.sagemaker.endpoints.model_server import ModelServer, NotServing, PingFailed
from localaws.services.sagemaker.endpoints.models import Models
from localaws.services.sagemaker.jobs.cluster import SHARDED, share
from localaws.services.sagemaker.jobs.container import Container
from localaws.services.sagemaker.jobs.host import Host
from localaws.services.sagemaker.jobs.job import Job, JobFailed, JobKind, JobStopped
from localaws.services.sagemaker.jobs.job_table import JobTable
from localaws.services.sagemaker.jobs.request import output_encryption
from localaws.services.sagemaker.jobs.storage import list_prefix, split_uri
from localaws.services.sagemaker.jobs.transform_data import MEGABYTE, RecordTooLarge, assemble, batches
from localaws.services.sagemaker.quotas import TRANSFORM, Use, instances
from localaws.services.sagemaker.shared import Shared

KIND = JobKind("transform-job", "TransformJob", "/aws/sagemaker/TransformJobs")
MEMBERS = {
    *("TransformJobName", "ModelName", "MaxConcurrentTransforms", "ModelClientConfig", "MaxPayloadInMB"),
    *("BatchStrategy", "Environment", "TransformInput", "TransformOutput", "TransformResources", "Tags"),
}
DEFAULTS = {"MaxConcurrentTransforms": 1, "MaxPayloadInMB": 6, "BatchStrategy": "MultiRecord"}
MAX_TOTAL_PAYLOAD_MB = 100
DEFAULT_TIMEOUT_SECONDS = 600
DEFAULT_RETRIES = 3
STARTUP_SECONDS = 480.0
SEE_LOGS = "See job logs for more information"


class ObjectFailed(Exception):
    """One input object gets no output; the text starts with whose error it is."""


class TransformJob(Job):
    kind = KIND
    hosts_talk = False

    def __init__(self, host: Host, request: Json, model: Json) -> None:
        super().__init__(host, {**DEFAULTS, **request})
        self.role_arn: str = model["ExecutionRoleArn"]
        self._model = model
        self._failures: list[str] = []

    def _work(self, containers: list[Container], credentials: Credentials) -> None:
        self._change(TransformStartTime=now())
        try:
            self._on_each_host(containers, lambda container: self._run_instance(container, credentials))
        finally:
            self._change(TransformEndTime=now())
        if self._failures:
            raise JobFailed(f"{self._failures[0].partition(':')[0]}: {SEE_LOGS}")

    def _run_instance(self, container: Container, credentials: Credentials) -> None:
        request = self.request
        instance = f"i-{uuid.uuid4().hex[:17]}"
        server = ModelServer(self._host, self._model, container.directory / "server", self._stopping)
        log = self._log_of(credentials, instance)
        try:
            server.start(
                server.assume_role(),
                environment={
                    "SAGEMAKER_BATCH": "true",
                    "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(request["MaxConcurrentTransforms"]),
                    "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(request["MaxPayloadInMB"]),
                    "SAGEMAKER_BATCH_STRATEGY": request["BatchStrategy"],
                    **request.get("Environment", {}),
                },
                on_line=log.write,
                startup_seconds=STARTUP_SECONDS,
            )
            assert server.process is not None
            with self.lock:
                self._processes.add(server.process)
            self._transform_share(server, credentials, container, instance)
        except PingFailed as error:
            if self._stopping.is_set():
                raise JobStopped("Stopped") from error
            raise JobFailed(
                f"AlgorithmError: {error}; Ensure /ping endpoint is implemented and responds with an HTTP 200 status code"
            ) from error
        except NotServing as error:
            raise JobFailed(f"ClientError: {error}") from error
        finally:
            if server.process is not None:
                with self.lock:
                    self._processes.discard(server.process)
            server.close()

    def _log_of(self, credentials: Credentials, name: str) -> LogWriter:
        return LogWriter(
            self._account, KIND.log_group, f"{self.name}/{name}", credentials, lists_streams=True
        )

    def _transform_share(
        self, server: ModelServer, credentials: Credentials, container: Container, instance: str
    ) -> None:
        """Each object is one instance's, whole: of one object, the other instances have nothing to do."""
        s3 = self._account.client("s3", credentials)
        uri = self.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, _ = split_uri(uri)
        try:
            found = list_prefix(s3, uri)
        except ClientError as error:
            raise JobFailed(f"ClientError: Failed to list {uri}: {error}") from error
        if not found:
            raise JobFailed(f"ClientError: No S3 objects found under S3 URL {uri}")
        data_log = self._log_of(credentials, f"{instance}/data-log")
        settings = ", ".join(
            f"{name}={self.request[name]}"
            for name in ("MaxConcurrentTransforms", "MaxPayloadInMB", "BatchStrategy")
        )
        data_log.write(f"{_moment()}:[sagemaker logs]: {settings}")
        for key, name in share(found, SHARDED, container.number, len(container.cluster.names)):
            try:
                self._transform(server, s3, bucket, key, name)
            except ObjectFailed as failed:
                self._failures.append(str(failed))
                for line in str(failed).splitlines():
                    data_log.write(f"{_moment()}:[sagemaker logs]: {bucket}/{key}: {line}")

    def _transform(self, server: ModelServer, s3: Any, bucket: str, key: str, name: str) -> None:
        try:
            content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise ObjectFailed(f"ClientError: {error}") from error
        payloads = batches(
            content,
            split=self.request["TransformInput"].get("SplitType", "None"),
            strategy=self.request["BatchStrategy"],
            max_payload_bytes=self.request["MaxPayloadInMB"] * MEGABYTE,
        )
        try:
            with ThreadPoolExecutor(self.request["MaxConcurrentTransforms"]) as pool:
                answers = list(pool.map(lambda payload: self._ask(server, payload), payloads))
        except RecordTooLarge as error:
            raise ObjectFailed(f"ClientError: 413 MaxPayloadInMB exceeded: {error}") from error
        output = self.request["TransformOutput"]
        target, prefix = split_uri(output["S3OutputPath"])
        try:
            s3.put_object(
                Bucket=target,
                Key="/".join(filter(None, [prefix.rstrip("/"), f"{name}.out"])),
                Body=assemble(answers, output.get("AssembleWith") == "Line"),
                **output_encryption(self.request),
            )
        except ClientError as error:
            raise ObjectFailed(f"ClientError: {error}") from error

    def _ask(self, server: ModelServer, payload: bytes) -> bytes:
        client = self.request.get("ModelClientConfig", {})
        headers = {"Content-Type": self.request["TransformInput"].get("ContentType", "")}
        if accept := self.request["TransformOutput"].get("Accept"):
            headers["Accept"] = accept
        timeout = client.get("InvocationsTimeoutInSeconds", DEFAULT_TIMEOUT_SECONDS)
        problem = ""
        for _ in range(1 + client.get("InvocationsMaxRetries", DEFAULT_RETRIES)):
            if self._stopping.is_set() or self._broken.is_set():
                raise JobStopped("Stopped")
            try:
                response = server.invoke(payload, headers, timeout)
            except urllib3.exceptions.HTTPError as error:
                problem = f"AlgorithmError: Model server did not respond to /invocations request: {error}"
                continue
            text = response.data.decode(errors="replace") if response.status >= 400 else ""
            if response.status < 400:
                return response.data
            if response.status < 500:
                raise ObjectFailed(f"ClientError: {response.status}\nMessage:\n{text}")
            problem = (
                f"AlgorithmError: Bad HTTP status returned from invoke: {response.status}\nMessage:\n{text}"
            )
        if self._stopping.is_set():
            raise JobStopped("Stopped")
        raise ObjectFailed(problem)


class Transform:
    """The operations."""

    def __init__(self, shared: Shared, models: Models) -> None:
        self._shared = shared
        self._models = models
        self.table = JobTable(KIND)
        shared.quotas.counted.append(lambda: [_use(job.request) for job in self.table.running()])

    def create_transform_job(self, request: Json) -> Json:
        _check(request)
        model = self._models.get(request["ModelName"])
        self._shared.quotas.require(_use(request))
        job = TransformJob(self._shared.host, request, model)
        self.table.launch(self._shared, job)
        return {"TransformJobArn": job.arn}

    def describe_transform_job(self, request: Json) -> Json:
        response: Json = self.table.get(request["TransformJobName"]).describe()
        return response

    def stop_transform_job(self, request: Json) -> Json:
        self.table.get(request["TransformJobName"]).stop()
        return {}

    def list_transform_jobs(self, request: Json) -> Json:
        members = ("TransformJobName", "TransformJobArn", "CreationTime", "LastModifiedTime")
        more = ("TransformJobStatus", "TransformEndTime", "FailureReason")
        summaries = [pick(job.describe(), *members, *more) for job in self.table.all()]
        return self.table.page(request, summaries)


def _use(request: Json) -> Use:
    resources = request["TransformResources"]
    return instances(resources["InstanceType"], TRANSFORM, resources["InstanceCount"])


def _check(request: Json) -> None:
    refuse_members(request, MEMBERS, "CreateTransformJob")
    source, output = request["TransformInput"], request["TransformOutput"]
    refuse_values(
        {
            "S3DataType": (source["DataSource"]["S3DataSource"]["S3DataType"], ("S3Prefix",)),
            "CompressionType": (source.get("CompressionType"), ("None",)),
            "SplitType": (source.get("SplitType"), ("None", "Line")),
            "AssembleWith": (output.get("AssembleWith"), ("None", "Line")),
        }
    )
    payload = request.get("MaxPayloadInMB", DEFAULTS["MaxPayloadInMB"])
    concurrent = request.get("MaxConcurrentTransforms", DEFAULTS["MaxConcurrentTransforms"])
    if payload == 0 or concurrent == 0:
        raise _invalid("The local AWS does not support MaxPayloadInMB or MaxConcurrentTransforms 0.")
    if payload * concurrent > MAX_TOTAL_PAYLOAD_MB:
        raise _invalid(
            f"MaxPayloadInMB ({payload}) times MaxConcurrentTransforms ({concurrent}) must be at most "
            f"{MAX_TOTAL_PAYLOAD_MB}."
        )


def _moment() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
