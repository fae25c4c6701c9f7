"""Where a signed-in person opens the report of a verification, and how CodePipeline learns it."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import boto3

from ml_code.contracts import Variable, console_url

if TYPE_CHECKING:
    from mlflow import MlflowClient

# What the build's shell reads, for the variable that the approval action shows.
RESULT_FILE = Path("release-result.env")


def report_url(client: "MlflowClient", run_id: str, artifact: str, tracking_uri: str) -> str:
    """The object's page in the S3 console; the run's page where MLflow itself hands artifacts out."""
    run = client.get_run(run_id).info
    location = urlsplit(run.artifact_uri)
    if location.scheme != "s3":
        return f"{tracking_uri}#/experiments/{run.experiment_id}/runs/{run_id}/artifacts/{artifact}"
    region = str(boto3.Session().region_name)
    key = quote(f"{location.path.strip('/')}/{artifact}", safe="")
    return f"{console_url(region)}/s3/object/{location.netloc}?region={region}&prefix={key}"


def write_link(url: str) -> None:
    RESULT_FILE.write_text(f"export {Variable.VERIFICATION_URL}={shlex.quote(url)}\n", encoding="utf-8")
