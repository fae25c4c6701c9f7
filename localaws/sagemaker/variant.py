"""One production variant in service: the model's container, its process and its connections."""

import threading
import time
import uuid
from pathlib import Path

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from localaws import network
from localaws.account import Credentials
from localaws.logs import LogWriter
from localaws.sagemaker import data_capture, serving_container
from localaws.sagemaker.container import Container, Host, RunningProcess
from localaws.sagemaker.data_capture import DataCapture
from localaws.sagemaker.invocation_metrics import InvocationMetrics
from localaws.sagemaker.listing import now
from localaws.sagemaker.loopback import HOST, answers, free_port
from localaws.sagemaker.names import LOWER_ALPHANUMERIC, random_text
from localaws.sagemaker.storage import download_file, unpack
from localaws.service import Json, ServiceError

PING_INTERVAL_SECONDS = 0.05
PING_TIMEOUT_SECONDS = 2.0
SERVERLESS_STARTUP_SECONDS = 180.0
INSTANCE_STARTUP_SECONDS = 480.0
INVOCATION_TIMEOUT_SECONDS = 60.0
POOLED_CONNECTIONS = 32


class LaunchFailed(Exception):
    """The variant does not serve; the text is the endpoint's FailureReason."""


class Retired(Exception):
    """Another variant answers for the endpoint by now."""


class Variant:
    """Serves one model for one endpoint."""

    def __init__(self, host: Host, *, endpoint: str, config: Json, model: Json) -> None:
        (self.description,) = config["ProductionVariants"]
        self.name: str = self.description["VariantName"]
        self.serverless: Json | None = self.description.get("ServerlessConfig")
        self.config_name: str = config["EndpointConfigName"]
        self.data_capture_config: Json | None = config.get("DataCaptureConfig")
        self.image: str = model["PrimaryContainer"]["Image"]
        self.role_arn: str = model["ExecutionRoleArn"]
        self.instance_type: str = self.description.get("InstanceType", "")
        self.instance_count: int = self.description.get("InitialInstanceCount", 1)
        self.metrics = InvocationMetrics(
            host.account.metrics,
            endpoint=endpoint,
            variant=self.name,
            config=self.config_name,
            instance_count=self.instance_count,
        )
        self._endpoint = endpoint
        self.log_group = f"/aws/sagemaker/Endpoints/{endpoint}"
        self.log_stream = f"{self.name}/{self._instance_id()}"
        self.launched = now()
        self._host = host
        self._account = host.account
        self._model = model
        self._directory: Path = (
            host.account.state_dir / "endpoints" / f"{endpoint}-{random_text(6, LOWER_ALPHANUMERIC)}"
        )
        self._process: RunningProcess | None = None
        self._container: Container | None = None
        self._log: LogWriter | None = None
        self._capture: DataCapture | None = None
        self._closed = threading.Event()
        self._port = free_port()
        self._pool = urllib3.HTTPConnectionPool(HOST, self._port, maxsize=POOLED_CONNECTIONS, retries=False)
        self._answering = 0  # requests in the container now
        self._retired = False
        self._changed = threading.Condition()

    def launch(self) -> None:
        """Returns when /ping answers 200; raises LaunchFailed, with nothing left running."""
        try:
            self._start()
            self._wait_for_ping()
        except BaseException:
            self.close()
            raise

    def invoke(self, body: bytes, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """Raises Retired, or ThrottlingException above a serverless variant's MaxConcurrency."""
        with self._changed:
            if self._retired:
                raise Retired
            if self.serverless and self._answering >= self.serverless["MaxConcurrency"]:
                raise ServiceError("ThrottlingException", "Rate exceeded", 429)
            self._answering += 1
        try:
            return self._pool.request(
                "POST", "/invocations", body=body, headers=headers, timeout=INVOCATION_TIMEOUT_SECONDS
            )
        finally:
            with self._changed:
                self._answering -= 1
                self._changed.notify_all()

    def capture(self, request: Json, body: bytes, content_type: str) -> None:
        """Keeps a request and its answer, where the endpoint's data is captured."""
        if self._capture is not None:
            self._capture.take(request, body, content_type)

    def retire(self) -> None:
        """Takes no more requests, answers those it has, then closes."""
        with self._changed:
            self._retired = True
            self._changed.wait_for(lambda: self._answering == 0, INVOCATION_TIMEOUT_SECONDS)
        self.deliver_captured()
        self.close()

    def deliver_captured(self) -> None:
        if self._capture is not None:
            self._capture.deliver()

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        if self._capture is not None:
            self._capture.close()
        if self._process is not None:
            self._process.terminate(grace_seconds=2.0)
        self._pool.close()
        if self._log is not None:
            self._log.close()
        if self._container is not None:
            self._container.remove()

    def _start(self) -> None:
        try:
            credentials = self._account.assume_role(
                self._model["ExecutionRoleArn"], principal="sagemaker.amazonaws.com", session_name="SageMaker"
            )
        except ServiceError as error:
            raise LaunchFailed(f"Could not assume the execution role of the model: {error}") from error
        self._require_network(credentials)
        container = self._container = Container(self._host, self._directory)
        specification = self._model["PrimaryContainer"]
        for name in ("model", "code"):
            (container.root / name).mkdir()
        if uri := _model_data(specification):
            archive = container.directory / "model.tar.gz"
            try:
                download_file(self._account.client("s3", credentials), uri, archive)
            except (ClientError, BotoCoreError) as error:
                raise LaunchFailed(
                    f'Failed to download model data for container "container_1" from URL: "{uri}". Please ensure '
                    "that there is an object located at the URL and that the role passed to CreateModel has "
                    f"permissions to download the object. ({error})"
                ) from error
            unpack(archive, container.root / "model")
            archive.unlink()
        environment = container.environment(
            aws={
                **self._account.environment(credentials),
                "SAGEMAKER_BASE_DIR": str(container.root.absolute()),
                "SAGEMAKER_BIND_TO_PORT": str(self._port),
                "SAGEMAKER_REGION": self._account.region,
            },
            request=specification.get("Environment", {}),
        )
        log = self._log = LogWriter(self._account, self.log_group, self.log_stream)
        if self.data_capture_config is not None and data_capture.is_enabled(self.data_capture_config):
            self._capture = DataCapture(
                self._account,
                credentials,
                self.data_capture_config,
                endpoint=self._endpoint,
                variant=self.name,
                on_error=log.write,
            )
        self._process = container.start(
            ["python3", serving_container.__file__], environment=environment, on_line=log.write
        )

    def _require_network(self, credentials: Credentials) -> None:
        vpc = self._model.get("VpcConfig")
        if not vpc:
            return
        try:
            network.require_interfaces(
                self._account, credentials, vpc["Subnets"], vpc["SecurityGroupIds"], "sagemaker.amazonaws.com"
            )
        except ServiceError as error:
            raise LaunchFailed(f"The execution role cannot attach the model to its VPC: {error}") from error

    def _wait_for_ping(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._startup_seconds()
        while time.monotonic() < deadline and self._process.running and not self._closed.is_set():
            if answers(self._port, "/ping", timeout_seconds=PING_TIMEOUT_SECONDS):
                return
            time.sleep(PING_INTERVAL_SECONDS)
        raise LaunchFailed(
            f"The primary container for production variant {self.name} did not pass the ping health check. "
            "Please check CloudWatch logs for this endpoint."
        )

    def _startup_seconds(self) -> float:
        if self.serverless:
            return SERVERLESS_STARTUP_SECONDS
        seconds = self.description.get(
            "ContainerStartupHealthCheckTimeoutInSeconds", INSTANCE_STARTUP_SECONDS
        )
        return float(seconds)

    def _instance_id(self) -> str:
        if self.serverless:
            return uuid.uuid4().hex
        return f"i-{uuid.uuid4().hex[:17]}"


def _model_data(container: Json) -> str:
    source = container.get("ModelDataSource")
    uri: str = source["S3DataSource"]["S3Uri"] if source else container.get("ModelDataUrl", "")
    return uri
