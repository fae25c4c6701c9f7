"""The address at which a signed-in person opens a report."""

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import boto3

from ml_code.contracts import console_url

if TYPE_CHECKING:
    from mlflow import MlflowClient


def report_url(client: "MlflowClient", run_id: str, artifact: str, tracking_uri: str) -> str:
    """The object's page in the S3 console; the run's page where MLflow itself hands artifacts out."""
    run = client.get_run(run_id).info
    location = urlsplit(run.artifact_uri)
    if location.scheme != "s3":
        return f"{tracking_uri}#/experiments/{run.experiment_id}/runs/{run_id}/artifacts/{artifact}"
    return object_url(location.netloc, f"{location.path.strip('/')}/{artifact}")


def object_url(bucket: str, key: str) -> str:
    """The object's page in the S3 console."""
    region = str(boto3.Session().region_name)
    return f"{console_url(region)}/s3/object/{bucket}?region={region}&prefix={quote(key, safe='')}"
