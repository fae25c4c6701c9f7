"""A deployed factory as its operators see it: names from the stack's outputs, AWS clients, clear errors."""

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from ml_code.contracts import Output, deploy_project_name, endpoint_name
from operations.account import say_account
from operations.errors import OperationError

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from ml_code.release.records import Records

PROJECT = Path(__file__).resolve().parent.parent
BEFORE_PRODUCTION = (
    "A delivery brings a version into production: make status shows it, make approve lets it go on."
)
# Of a presigned address of MLflow, which opens once, and of the session behind it: the longest that SageMaker gives.
VALIDITY = {"ExpiresInSeconds": 300, "SessionExpirationDurationInSeconds": 43200}


def factory_name() -> str:
    """The factory's name as cdk.json sets it: stack, pipelines and endpoints are named after it."""
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    return str(context["factory"]["name"])


@dataclass(frozen=True)
class Model:
    """One model of a deployed factory. Its pipelines are called as the names of its resources begin: `prefix`."""

    name: str
    prefix: str

    def endpoint(self, stage: str) -> str:
        return endpoint_name(self.prefix, stage)


@dataclass(frozen=True)
class Factory:
    name: str
    outputs: dict[str, str]

    @property
    def models(self) -> list[Model]:
        """All models, by name."""
        prefixes = json.loads(self.output(Output.MODEL_PREFIXES))
        return [Model(name, prefix) for name, prefix in sorted(prefixes.items())]

    def model(self, name: str = "") -> Model:
        """Return the named model; without a name the only one. OperationError says which there are."""
        names = ", ".join(model.name for model in self.models)
        found = [model for model in self.models if model.name == name or not name]
        if not found:
            raise OperationError(f"MODEL is {name!r}, allowed is a model of {self.name}: {names}.")
        if len(found) > 1:
            raise OperationError(f"MODEL is not given, and {self.name} has several: MODEL=<one of {names}>.")
        return found[0]

    def output(self, key: str) -> str:
        """Raise OperationError when the stack has no such output."""
        if key not in self.outputs:
            raise OperationError(f"Stack {self.name} has no output {key}, it has {sorted(self.outputs)}.")
        return self.outputs[key]


def deployed_factory() -> Factory:
    """Read the deployed factory, and print its account; OperationError when the stack is not deployed there."""
    name, account = factory_name(), say_account()
    cloudformation = boto3.client("cloudformation")
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise OperationError(
            f"Stack {name} is not deployed in account {account.id}, region {account.region}: run `make deploy`."
        ) from None
    outputs = stacks[0].get("Outputs", [])
    return Factory(name, {output["OutputKey"]: output["OutputValue"] for output in outputs})


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="", help="its name; needed where there are several")


def deploy_environment(model: Model, stage: str) -> dict[str, str]:
    """The variables of the stage's build project, as the stack set them."""
    projects = boto3.client("codebuild").batch_get_projects(names=[deploy_project_name(model.prefix, stage)])[
        "projects"
    ]
    return {item["name"]: item["value"] for item in projects[0]["environment"]["environmentVariables"]}


def release_records(factory: Factory, model: Model) -> "Records":
    from ml_code.release.records import Records

    bucket = factory.output(Output.ARTIFACT_BUCKET_NAME)
    return Records(s3=boto3.client("s3"), bucket=bucket, model=model.name)


def mlflow_client(factory: Factory) -> "MlflowClient":
    """A client of the factory's MLflow."""
    import mlflow  # two seconds, only where it is needed

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    if factory.output(Output.MLFLOW_TRACKING_URI).startswith(
        "http"
    ):  # in the VPC only: not minutes to learn that
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    # The SageMaker plugin signs for the global tracking URI, not for the client's.
    mlflow.set_tracking_uri(factory.output(Output.MLFLOW_TRACKING_URI))
    return mlflow.MlflowClient()


def mlflow_url(factory: Factory) -> str:
    """The address of MLflow for a browser; AWS signs it for minutes only."""
    uri = factory.output(Output.MLFLOW_TRACKING_URI)
    if uri.startswith("http"):
        return uri
    kind, _, name = uri.rpartition(":")[2].partition("/")
    sagemaker = boto3.client("sagemaker")
    if kind == "mlflow-tracking-server":
        answer = sagemaker.create_presigned_mlflow_tracking_server_url(TrackingServerName=name, **VALIDITY)
        return str(answer["AuthorizedUrl"])
    return str(sagemaker.create_presigned_mlflow_app_url(Arn=uri, **VALIDITY)["AuthorizedUrl"])
