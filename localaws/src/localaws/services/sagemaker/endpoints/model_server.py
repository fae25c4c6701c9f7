"""A model's container that serves: its data from S3, its process, its connections.

Endpoints and transform jobs share it.
"""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Credentials
from localaws.services.ec2.interfaces import require_interfaces
from localaws.services.ecr.pulls import require_pull
from localaws.services.iam.authorization import assume_role
from localaws.services.sagemaker.endpoints import serving_container
from localaws.services.sagemaker.endpoints.loopback import HOST, answers, free_port
from localaws.services.sagemaker.jobs.container import SERVE, Container, RunningProcess
from localaws.services.sagemaker.jobs.host import Host
from localaws.services.sagemaker.jobs.storage import download_file, unpack

PING_INTERVAL_SECONDS = 0.05
PING_TIMEOUT_SECONDS = 2.0
POOLED_CONNECTIONS = 32


class NotServing(Exception):
    """The container does not serve; the text says why."""


class PingFailed(NotServing):
    """The container started, and /ping never answered 200."""


class ModelServer:
    """The container of a variant. After `given_up` is set, its start is no longer awaited; `read_only` leaves it /tmp to write."""

    def __init__(
        self,
        host: Host,
        model: Json,
        directory: Path,
        given_up: threading.Event,
        *,
        read_only: bool = False,
    ) -> None:
        self._host = host
        self._read_only = read_only
        self._given_up = given_up
        self._account = host.account
        self._model = model
        self._directory = directory
        self.process: RunningProcess | None = None
        self._container: Container | None = None
        self._closed = False
        self._port = free_port()
        self._pool = urllib3.HTTPConnectionPool(HOST, self._port, maxsize=POOLED_CONNECTIONS, retries=False)

    def assume_role(self) -> Credentials:
        """The execution role's, which may attach interfaces when the model has a VPC; raises NotServing."""
        try:
            credentials = assume_role(
                self._account,
                self._model["ExecutionRoleArn"],
                principal="sagemaker.amazonaws.com",
                session_name="SageMaker",
            )
        except ServiceError as error:
            raise NotServing(f"Could not assume the execution role of the model: {error}") from error
        try:
            image = self._model["PrimaryContainer"]["Image"]
            require_pull(credentials, self._model["ExecutionRoleArn"], image)
        except ServiceError as error:
            raise NotServing(str(error)) from error
        if vpc := self._model.get("VpcConfig"):
            try:
                require_interfaces(
                    self._account,
                    credentials,
                    vpc["Subnets"],
                    vpc["SecurityGroupIds"],
                    "sagemaker.amazonaws.com",
                )
            except ServiceError as error:
                raise NotServing(f"The execution role cannot attach the model to its VPC: {error}") from error
        return credentials

    def start(
        self,
        credentials: Credentials,
        *,
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
        startup_seconds: float,
    ) -> None:
        """Return when /ping answers 200; raise NotServing. `environment` comes on top of the model's own."""
        image = self._host.image(on_line)
        container = self._container = Container(
            self._host,
            self._directory,
            image,
            network=False,
            ml_writable=not self._read_only,
            port=self._port,
        )
        for name in ("model", "code"):
            (container.root / name).mkdir()
        specification = self._model["PrimaryContainer"]
        self._download(container, credentials, _model_data(specification))
        request = {**specification.get("Environment", {}), **environment}
        aws = {**self._account.environment(credentials), "SAGEMAKER_REGION": self._account.region}
        command = [SERVE]
        if image is None:
            aws |= container.moved()
            command = ["python3", serving_container.__file__]
        variables = container.environment(aws=aws, request=request)
        self.process = container.start(command, environment=variables, on_line=on_line)
        self._wait_for_ping(startup_seconds)

    def invoke(
        self, body: bytes, headers: dict[str, str], timeout_seconds: float
    ) -> urllib3.BaseHTTPResponse:
        # A connection of its own: the container's server closes idle ones, some just as a request is sent.
        alone = {**headers, "Connection": "close"}
        return self._pool.request("POST", "/invocations", body=body, headers=alone, timeout=timeout_seconds)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self.process is not None:
            self.process.terminate(grace_seconds=2.0)
        self._pool.close()
        if self._container is not None:
            self._container.remove()

    def _download(self, container: Container, credentials: Credentials, uri: str) -> None:
        if not uri:
            return
        archive = container.directory / "model.tar.gz"
        try:
            download_file(self._account.client("s3", credentials), uri, archive)
        except (ClientError, BotoCoreError) as error:
            raise NotServing(
                f'Failed to download model data for container "container_1" from URL: "{uri}". Please ensure '
                "that there is an object located at the URL and that the role passed to CreateModel has "
                f"permissions to download the object. ({error})"
            ) from error
        unpack(archive, container.root / "model")
        archive.unlink()

    def _wait_for_ping(self, startup_seconds: float) -> None:
        assert self.process is not None
        deadline = time.monotonic() + startup_seconds
        while time.monotonic() < deadline and self.process.running and not self._ends():
            if answers(self._port, "/ping", timeout_seconds=PING_TIMEOUT_SECONDS):
                return
            time.sleep(PING_INTERVAL_SECONDS)
        raise PingFailed("Model container failed to respond to ping")

    def _ends(self) -> bool:
        return self._closed or self._given_up.is_set()


def _model_data(container: Json) -> str:
    source = container.get("ModelDataSource")
    uri: str = source["S3DataSource"]["S3Uri"] if source else container.get("ModelDataUrl", "")
    return uri
