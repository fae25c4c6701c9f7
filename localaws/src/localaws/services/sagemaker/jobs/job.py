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
from localaws.core.listing import now
from localaws.services.ec2.interfaces import require_interfaces
from localaws.services.ecr.pulls import require_pull
from localaws.services.iam.authorization import assume_role
from localaws.services.kms.key_use import require_volume_key
from localaws.services.logs.writer import LogWriter
from localaws.services.sagemaker.jobs.cluster import new_cluster, share
from localaws.services.sagemaker.jobs.container import CommandNotFound, Container, RunningProcess, wait
from localaws.services.sagemaker.jobs.host import Host
from localaws.services.sagemaker.jobs.request import (
    image_uri,
    instance_count,
    job_network,
    network_isolated,
    volume_key,
)
from localaws.services.sagemaker.jobs.storage import NoObjects, download_prefix

LOG = logging.getLogger("localaws.sagemaker")
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
    hosts_talk: ClassVar[bool] = True
    """Whether the hosts of a job look each other up by name."""

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
        self._processes: set[RunningProcess] = set()
        self._broken = threading.Event()  # one host failed: the others end
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
        self._terminate_all()

    def _terminate_all(self) -> None:
        with self.lock:
            processes = list(self._processes)
        for process in processes:
            threading.Thread(target=process.terminate, args=(STOP_GRACE_SECONDS,), daemon=True).start()

    @abstractmethod
    def _work(self, containers: list[Container], credentials: Credentials) -> None:
        """Everything between start and end, on a container a host; raises JobFailed or JobStopped."""

    def _change(self, **members: Any) -> None:
        with self.lock:
            self.description.update(members, LastModifiedTime=now())

    def _run(self, on_end: Callable[["Job"], None]) -> None:
        status, reason = "Completed", ""
        containers: list[Container] = []
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
            containers = self._containers(network_isolated=network_isolated(self.request))
            self._work(containers, credentials)
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
            for container in containers:
                container.remove()
            on_end(self)
            self.finished.set()

    def _end(self, status: str, reason: str) -> None:
        with self.lock:
            self.description[self._status_key] = status
            self.description["LastModifiedTime"] = now()
            if reason:
                self.description["FailureReason"] = reason[:MESSAGE_LIMIT]

    def _containers(self, *, network_isolated: bool) -> list[Container]:
        image, count = self._host.image(self._notes.append), instance_count(self.request)
        is_isolated = image is not None and image.isolated
        if network_isolated and not is_isolated:
            raise JobFailed(
                f"InternalServerError: this machine cannot isolate a job from the network: {self._notes}"
            )
        if count > 1 and not is_isolated and self.hosts_talk:
            raise JobFailed(
                "InternalServerError: this machine cannot give the hosts of a job names, as it has no namespaces for "
                f"containers: {self._notes}; run jobs of one instance here"
            )
        cluster = new_cluster(count)
        folder = self._account.state_dir / "jobs" / self.name
        return [
            Container(
                self._host,
                folder if count == 1 else folder / name,
                image,
                network=not network_isolated,
                cluster=cluster,
                number=number,
            )
            for number, name in enumerate(cluster.names, start=1)
        ]

    def _on_each_host(self, containers: list[Container], run: Callable[[Container], None]) -> None:
        """Run on all hosts side by side; the first failure stops the others, and is raised."""
        failures: list[BaseException] = []

        def work(container: Container) -> None:
            try:
                run(container)
            except BaseException as error:
                failures.append(error)
                self._broken.set()
                self._terminate_all()

        threads = [
            threading.Thread(target=work, args=(container,), name=f"{self.name}/{container.name}")
            for container in containers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _log(self, credentials: Credentials, container: Container) -> LogWriter:
        stream = f"{self.name}/{container.name}-{int(time.time())}"
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
            self._processes.add(process)
        if self._stopping.is_set() or self._broken.is_set():  # asked while the process started
            process.terminate(STOP_GRACE_SECONDS)
        code = wait(process, max(0.0, deadline - time.monotonic()))
        if code is None:
            process.terminate(STOP_GRACE_SECONDS)
            raise JobStopped("MaxRuntimeExceeded")
        with self.lock:
            self._processes.discard(process)
        if self._stopping.is_set():
            raise JobStopped("Stopped")
        return code

    def _download(self, s3: Any, source: Json, directory: Path, container: Container) -> None:
        """The host's share of a data source in S3."""
        uri, distribution = source["S3Uri"], source.get("S3DataDistributionType")
        count = len(container.cluster.names)
        if self._stopping.is_set():
            raise JobStopped("Stopped")
        try:
            download_prefix(
                s3, uri, directory, lambda keys: share(keys, distribution, container.number, count)
            )
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
