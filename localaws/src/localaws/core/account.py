"""The one account of the local AWS: what its services need of each other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

from localaws.core.clock import Clock
from localaws.core.errors import Json
from localaws.core.identity import ACCOUNT_ID, Credentials
from localaws.core.metrics import MetricStore
from localaws.runtime.image_environment import ImageEnvironment
from localaws.runtime.processes import ProcessTable

_LOADER = create_loader()
# In the user agent of AWS's own requests inside, which no fault hits (gateway/faults.py).
INTERNAL = "localaws-internal"


@dataclass
class Account:
    """The account as the gateway and all services share it; `administrator` signs what AWS itself does inside."""

    state_dir: Path
    port: int
    region: str
    administrator: Credentials
    processes: ProcessTable
    # Of the scikit-learn image; without it, this machine's packages and a small server stand for it.
    image: ImageEnvironment | None = None
    clock: Clock = field(default_factory=Clock)
    metrics: MetricStore = field(default_factory=MetricStore)
    # By botocore's name; each is a Service (core/service.py), which knows the account.
    services: dict[str, Any] = field(default_factory=dict)
    # Called with every event put on the default bus: EventBridge rules with our own targets listen here.
    event_listeners: list[Callable[[Json], None]] = field(default_factory=list)

    @property
    def endpoint_url(self) -> str:
        # The word localhost: moto mis-parses bucket names behind 127.0.0.1.
        return f"http://localhost:{self.port}"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{ACCOUNT_ID}:{resource}"

    def client(self, service_name: str, credentials: Credentials | None = None) -> Any:
        """A boto3 client of this very local AWS, as the administrator unless credentials are given."""
        chosen = credentials or self.administrator
        core = botocore.session.Session()
        # One loader for all: a client that reads its service's model from disk costs a tenth of a second or more.
        core.register_component("data_loader", _LOADER)
        session = boto3.Session(
            botocore_session=core,
            aws_access_key_id=chosen.access_key_id,
            aws_secret_access_key=chosen.secret_access_key,
            aws_session_token=chosen.session_token,
            region_name=self.region,
        )
        client: Any = session.client  # of any service: the types know them one by one
        return client(
            service_name,
            endpoint_url=self.endpoint_url,
            config=Config(retries={"max_attempts": 1}, user_agent_extra=INTERNAL),
        )

    def environment(self, credentials: Credentials) -> dict[str, str]:
        """Environment variables that point any AWS tool of a job or build to this local AWS, with those credentials."""
        return {
            **credentials.environment(),
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT": f"{self.endpoint_url}/mlflow",
        }

    def publish_event(self, *, source: str, detail_type: str, detail: Json, resources: list[str]) -> None:
        """Put an event on the default bus, as the AWS service named by `source` would."""
        event = {
            "version": "0",
            "source": source,
            "detail-type": detail_type,
            "account": ACCOUNT_ID,
            "region": self.region,
            "resources": resources,
            "detail": detail,
        }
        for listener in self.event_listeners:
            listener(event)
