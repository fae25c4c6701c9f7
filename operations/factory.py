"""A deployed factory as its operators see it: names from the stack's outputs, AWS clients, clear errors."""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from ml_code.contracts import RETRIES, Output, deploy_project_name

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROJECT = Path(__file__).resolve().parent.parent


class OperationError(Exception):
    """Something a person can put right; the message says how."""


def factory_name() -> str:
    """The factory's name as cdk.json sets it: stack, pipelines and endpoints are named after it."""
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    return str(context["factory"]["name"])


@dataclass(frozen=True)
class Factory:
    name: str
    outputs: dict[str, str]

    def output(self, key: str) -> str:
        """Raises OperationError when the stack has no such output."""
        if key not in self.outputs:
            raise OperationError(f"Stack {self.name} has no output {key}, it has {sorted(self.outputs)}.")
        return self.outputs[key]


def deployed_factory() -> Factory:
    """Raises OperationError when the stack is not deployed where the shell points to."""
    name = factory_name()
    cloudformation = boto3.client("cloudformation")
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise OperationError(
            f"Stack {name} is not deployed in this account and region: run `make deploy`."
        ) from None
    outputs = stacks[0].get("Outputs", [])
    return Factory(name, {output["OutputKey"]: output["OutputValue"] for output in outputs})


def deploy_environment(factory: Factory, stage: str) -> dict[str, str]:
    """The variables of the stage's build project, as the stack set them."""
    projects = boto3.client("codebuild").batch_get_projects(names=[deploy_project_name(factory.name, stage)])[
        "projects"
    ]
    return {item["name"]: item["value"] for item in projects[0]["environment"]["environmentVariables"]}


def mlflow_client(factory: Factory) -> "MlflowClient":
    """A client of the factory's MLflow."""
    import mlflow  # two seconds, only where it is needed

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    if factory.output(Output.MLFLOW_TRACKING_URI).startswith(
        "http"
    ):  # in the VPC only: not minutes to learn that
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    # The SageMaker plugin signs for the global tracking URI, whatever URI the client has.
    mlflow.set_tracking_uri(factory.output(Output.MLFLOW_TRACKING_URI))
    return mlflow.MlflowClient()


def mlflow_url(factory: Factory) -> str:
    """Where a browser finds MLflow; AWS signs the address for minutes only."""
    uri = factory.output(Output.MLFLOW_TRACKING_URI)
    if uri.startswith("http"):
        return uri
    kind, _, name = uri.rpartition(":")[2].partition("/")
    sagemaker = boto3.client("sagemaker")
    if kind == "mlflow-tracking-server":
        answer = sagemaker.create_presigned_mlflow_tracking_server_url(TrackingServerName=name)
        return str(answer["AuthorizedUrl"])
    return str(sagemaker.create_presigned_mlflow_app_url(Arn=uri)["AuthorizedUrl"])


def _interrupt(number: int, frame: object) -> None:
    """As Ctrl-C: what was started is ended on the way out. A second signal does not stop that."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def run(main: Callable[[], int | None]) -> None:
    """Runs a command's main; a user's mistake ends in one sentence on stderr and exit code 1."""
    for name, value in RETRIES.items():
        os.environ.setdefault(name, value)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        sys.exit(main() or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except OperationError as error:
        sys.exit(str(error))
    except (NoCredentialsError, NoRegionError) as error:
        sys.exit(f'{error} For the local AWS: make up, then eval "$(make env)".')
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
