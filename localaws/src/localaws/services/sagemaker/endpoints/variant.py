"""One production variant of an endpoint: takes its requests, counts and captures them."""

import threading
import uuid

import urllib3

from localaws.core.errors import Json, ServiceError
from localaws.core.listing import now
from localaws.services.logs.writer import LogWriter
from localaws.services.sagemaker.endpoints import data_capture
from localaws.services.sagemaker.endpoints.data_capture import DataCapture
from localaws.services.sagemaker.endpoints.invocation_metrics import InvocationMetrics
from localaws.services.sagemaker.endpoints.model_server import ModelServer, NotServing, PingFailed
from localaws.services.sagemaker.jobs.host import Host
from localaws.services.sagemaker.names import LOWER_ALPHANUMERIC, random_text

SERVERLESS_STARTUP_SECONDS = 180.0
INSTANCE_STARTUP_SECONDS = 480.0
INVOCATION_TIMEOUT_SECONDS = 60.0


class LaunchFailed(Exception):
    """The variant does not serve; the text is the endpoint's FailureReason."""


class Retired(Exception):
    """The request came to a variant that the endpoint has replaced."""


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
        self.log_group = f"/aws/sagemaker/Endpoints/{endpoint}"
        self.log_stream = f"{self.name}/{self._instance_id()}"
        self.launched = now()
        self._endpoint = endpoint
        self._account = host.account
        name = f"{endpoint}-{random_text(6, LOWER_ALPHANUMERIC)}"
        self._server = ModelServer(
            host,
            model,
            host.account.state_dir / "endpoints" / name,
            threading.Event(),
            read_only=self.serverless is not None,
        )
        self._log: LogWriter | None = None
        self._capture: DataCapture | None = None
        self._answering = 0  # requests in the container now
        self._retired = False
        self._changed = threading.Condition()

    def launch(self) -> None:
        """Return when /ping answers 200; raise LaunchFailed, with nothing left running."""
        try:
            self._start()
        except PingFailed as error:
            self.close()
            raise LaunchFailed(
                f"The primary container for production variant {self.name} did not pass the ping health check. "
                "Please check CloudWatch logs for this endpoint."
            ) from error
        except NotServing as error:
            self.close()
            raise LaunchFailed(str(error)) from error
        except BaseException:
            self.close()
            raise

    def invoke(self, body: bytes, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """Raise Retired, or ThrottlingException above a serverless variant's MaxConcurrency."""
        with self._changed:
            if self._retired:
                raise Retired
            if self.serverless and self._answering >= self.serverless["MaxConcurrency"]:
                raise ServiceError("ThrottlingException", "Rate exceeded", 429)
            self._answering += 1
        try:
            return self._server.invoke(body, headers, INVOCATION_TIMEOUT_SECONDS)
        finally:
            with self._changed:
                self._answering -= 1
                self._changed.notify_all()

    def capture(self, request: Json, body: bytes, content_type: str) -> None:
        """Keep a request and its answer, where the endpoint's data is captured."""
        if self._capture is not None:
            self._capture.take(request, body, content_type)

    def retire(self) -> None:
        """Take no more requests, answer those it has, then close."""
        with self._changed:
            self._retired = True
            self._changed.wait_for(lambda: self._answering == 0, INVOCATION_TIMEOUT_SECONDS)
        self.deliver_captured()
        self.close()

    def deliver_captured(self) -> None:
        if self._capture is not None:
            self._capture.deliver()

    def close(self) -> None:
        if self._capture is not None:
            self._capture.close()
        self._server.close()
        if self._log is not None:
            self._log.close()

    def _start(self) -> None:
        credentials = self._server.assume_role()
        log = self._log = LogWriter(
            self._account, self.log_group, self.log_stream, credentials, lists_streams=True
        )
        if self.data_capture_config is not None and data_capture.is_enabled(self.data_capture_config):
            self._capture = DataCapture(
                self._account,
                credentials,
                self.data_capture_config,
                endpoint=self._endpoint,
                variant=self.name,
                on_error=log.write,
            )
        self._server.start(
            credentials, environment={}, on_line=log.write, startup_seconds=self._startup_seconds()
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
