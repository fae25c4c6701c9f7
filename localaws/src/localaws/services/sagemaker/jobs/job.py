"""The base of processing and training jobs: a thread, a container, data in, data out, an end."""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Credentials
from localaws.core.listing import now, sorted_page
from localaws.services.ec2.interfaces import require_interfaces
from localaws.services.ecr.pulls import require_pull
from localaws.services.iam.authorization import assume_role
from localaws.services.kms.key_use import require_volume_key
from localaws.services.logs.writer import LogWriter
from localaws.services.sagemaker.jobs.container import CommandNotFound, Container, RunningProcess, wait
from localaws.services.sagemaker.jobs.host import Host
from localaws.services.sagemaker.jobs.request import image_uri, job_network, network_isolated, volume_key
from localaws.services.sagemaker.jobs.storage import NoObjects, download_prefix
from localaws.services.sagemaker.shared import Shared

LOG = logging.getLogger("localaws.sagemaker")
ENDED = ("Completed", "Failed", "Stopped")
STOP_GRACE_SECONDS = 120.0  # between SIGTERM and SIGKILL, as SageMaker gives it
MESSAGE_LIMIT = 1024  # of FailureReason and ExitMessage


class JobFailed(Exception):
    """A failure that ends the job; the text is its FailureReason."""


class JobStopped(Exception):
    """StopXxxJob was called, or the time is up; the text is the secondary status."""


@dataclass(frozen=True)
class JobKind:
    """The API's names for one kind of job."""

    resource: str  # in ARNs: "processing-job"
    api_name: str  # "ProcessingJob": CreateProcessingJob, ProcessingJobName …
    log_group: str

    def arn(self, account: Account, name: str) -> str:
        """The ARN in lower case, unlike the name, as SageMaker makes it (boto3#4606)."""
        return account.arn("sagemaker", f"{self.resource}/{name.lower()}")


class Job(ABC):
    """One job; `description` is its Describe response and changes under `lock` only."""

    kind: ClassVar[JobKind]

    def __init__(self, host: Host, request: Json) -> None:
        self._host = host
        account = self._account = host.account
        self.request = request
        self.name: str = request[f"{self.kind.api_name}Name"]
        self.role_arn: str = request.get("RoleArn", "")  # a transform job has its model's
        self.arn = self.kind.arn(account, self.name)
        self.finished = threading.Event()
        self.lock = threading.Lock()
        self._stopping = threading.Event()
        self._process: RunningProcess | None = None
        self._notes: list[str] = []  # of the local AWS, on how the job runs
        self.description: Json = {
            **{key: value for key, value in request.items() if key != "Tags"},
            f"{self.kind.api_name}Arn": self.arn,
            "CreationTime": now(),
            "LastModifiedTime": now(),
            self._status_key: "InProgress",
        }

    @property
    def _status_key(self) -> str:
        return f"{self.kind.api_name}Status"

    @property
    def status(self) -> str:
        value: str = self.description[self._status_key]
        return value

    def describe(self) -> Json:
        with self.lock:
            return dict(self.description)

    def start(self, on_end: Callable[["Job"], None]) -> None:
        threading.Thread(target=self._run, args=(on_end,), name=self.name, daemon=True).start()

    def stop(self) -> None:
        """Ask the job to end; SIGTERM now, SIGKILL after the grace period."""
        self._stopping.set()
        with self.lock:
            if self.status == "InProgress":
                self.description[self._status_key] = "Stopping"
            process = self._process
        if process is not None:
            threading.Thread(target=process.terminate, args=(STOP_GRACE_SECONDS,), daemon=True).start()

    @abstractmethod
    def _work(self, container: Container, credentials: Credentials) -> None:
        """Everything between start and end; raises JobFailed or JobStopped."""

    def _change(self, **members: Any) -> None:
        with self.lock:
            self.description.update(members, LastModifiedTime=now())

    def _run(self, on_end: Callable[["Job"], None]) -> None:
        status, reason = "Completed", ""
        container: Container | None = None
        try:
            credentials = assume_role(
                self._account, self.role_arn, principal="sagemaker.amazonaws.com", session_name="SageMaker"
            )
            if image := image_uri(self.request):
                require_pull(credentials, self.role_arn, image)
            if key := volume_key(self.request):
                require_volume_key(credentials, key)
            if vpc := job_network(self.request):
                require_interfaces(
                    self._account,
                    credentials,
                    vpc["Subnets"],
                    vpc["SecurityGroupIds"],
                    "sagemaker.amazonaws.com",
                )
            container = self._container(network_isolated=network_isolated(self.request))
            self._work(container, credentials)
        except JobStopped as stopped:
            status, reason = "Stopped", ""
            self._change(SecondaryStatus=str(stopped))
        except JobFailed as failed:
            status, reason = "Failed", str(failed)
        except (ServiceError, ClientError, BotoCoreError, ValueError) as error:
            status, reason = "Failed", f"ClientError: {error}"
        except Exception as error:  # a fault of the local AWS: shown, and the job still ends
            LOG.exception("a fault of the local AWS itself")
            status, reason = "Failed", f"InternalServerError: {error!r}"
        finally:
            self._end(status, reason)
            if container is not None:
                container.remove()
            on_end(self)
            self.finished.set()

    def _end(self, status: str, reason: str) -> None:
        with self.lock:
            self.description[self._status_key] = status
            self.description["LastModifiedTime"] = now()
            if reason:
                self.description["FailureReason"] = reason[:MESSAGE_LIMIT]

    def _container(self, *, network_isolated: bool) -> Container:
        image = self._host.image(self._notes.append)
        if network_isolated and not (image and image.isolated):
            raise JobFailed(
                f"InternalServerError: this machine cannot isolate a job from the network: {self._notes}"
            )
        directory = self._account.state_dir / "jobs" / self.name
        return Container(self._host, directory, image, network=not network_isolated)

    def _log(self, credentials: Credentials) -> LogWriter:
        stream = f"{self.name}/algo-1-{int(time.time())}"
        log = LogWriter(self._account, self.kind.log_group, stream, credentials, lists_streams=True)
        for note in self._notes:
            log.write(note)
        return log

    def _execute(
        self,
        container: Container,
        command: Sequence[str],
        *,
        environment: dict[str, str],
        working_directory: Path | None,
        on_line: Callable[[str], None],
        deadline: float,
    ) -> int:
        """Run one command to its end and return its exit code; raise JobStopped when stopped or late."""
        try:
            process = container.start(
                command, environment=environment, working_directory=working_directory, on_line=on_line
            )
        except CommandNotFound as error:
            raise JobFailed(
                f'ClientError: Cannot start the container: exec: "{error}": executable file not found in $PATH'
            ) from error
        with self.lock:
            self._process = process
        if self._stopping.is_set():  # asked while the process started
            process.terminate(STOP_GRACE_SECONDS)
        code = wait(process, max(0.0, deadline - time.monotonic()))
        if code is None:
            process.terminate(STOP_GRACE_SECONDS)
            raise JobStopped("MaxRuntimeExceeded")
        with self.lock:
            self._process = None
        if self._stopping.is_set():
            raise JobStopped("Stopped")
        return code

    def _download(self, s3: Any, uri: str, directory: Path) -> None:
        if self._stopping.is_set():
            raise JobStopped("Stopped")
        try:
            download_prefix(s3, uri, directory)
        except NoObjects as error:
            bucket = uri.split("/")[2]
            raise JobFailed(
                f'ClientError: Data download failed:No S3 objects found under S3 URL "{uri}" given in input '
                f"data source. Please ensure that the bucket exists in the selected region "
                f"({self._account.region}), that objects exist under that S3 prefix, and that the role "
                f'"{self.role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".'
            ) from error
        except ClientError as error:
            raise JobFailed(f"ClientError: Data download failed:Failed to download {uri}: {error}") from error


class JobTable:
    """All jobs of one kind by name, in any case, as an ARN has it in lower case; a name is never used twice."""

    def __init__(self, kind: JobKind) -> None:
        self._kind = kind
        self._jobs: dict[str, Any] = {}
        self._lock = threading.Lock()

    def add(self, job: Any) -> None:
        with self._lock:
            if job.name.lower() in self._jobs:
                raise ServiceError(
                    "ResourceInUse",
                    f"Job name must be unique within an AWS account and region, and a "
                    f"{self._kind.resource.replace('-', ' ')} with this name already exists ({job.arn})",
                )
            self._jobs[job.name.lower()] = job

    def get(self, name: str) -> Any:
        job = self._jobs.get(name.lower())
        if job is None:
            raise ServiceError("ValidationException", f"Could not find requested job with name: {name}")
        return job

    def all(self) -> list[Any]:
        with self._lock:
            return list(self._jobs.values())

    def running(self) -> list[Any]:
        return [job for job in self.all() if job.status not in ENDED]

    def launch(self, shared: Shared, job: Job) -> None:
        self.add(job)
        shared.tags.set(job.arn, job.request.get("Tags", []))
        job.start(shared.job_ended)

    def page(self, request: Json, summaries: Sequence[Json]) -> Json:
        """One page of a List response."""
        kind = self._kind.api_name
        return sorted_page(
            request, summaries, member=f"{kind}Summaries", name=f"{kind}Name", status=f"{kind}Status"
        )
