"""Invokes the production endpoint and compares its answers with the truth: `make verify`."""

import csv
import os
from pathlib import Path
from typing import Any

import boto3

from ml_code.contracts import PRODUCTION, Output, Variable
from ml_code.raw_files import open_text
from ml_code.spec import find_model, load_spec, sample_data
from operations.errors import OperationError, run
from operations.factory import BEFORE_PRODUCTION, Factory, deployed_factory, mlflow_client, mlflow_url

FILES = ("verification.json", "verification.png", "verification.html")


def invoke_once(factory: Factory) -> str:
    """The production endpoint's answer to the first row of the sample data, with that row's truth."""
    target = load_spec().target.name
    samples = list(sample_data().values())
    if not samples:
        raise OperationError(f"{find_model()} has no sample data to take a row of.")
    with open_text(samples[0]) as file:
        header, row = next(lines := csv.reader(file)), next(lines)
    truth = row[header.index(target)]
    features = [value for name, value in zip(header, row, strict=True) if name != target]
    response = boto3.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=factory.output(Output.PRODUCTION_ENDPOINT_NAME),
        ContentType="text/csv",
        Accept="application/json",
        Body=",".join(features),
    )
    return f"true {target} {truth}, answer {response['Body'].read().decode()}"


def fetch_verification(factory: Factory, model: str, directory: Path) -> tuple[Any, str]:
    """Copies what the production deployment's verification wrote; returns the version and its run's URL."""
    client = mlflow_client(factory)
    version = client.get_model_version_by_alias(model, PRODUCTION)
    if version.run_id is None:
        raise OperationError(f"Model {model} version {version.version} belongs to no MLflow run.")
    for name in FILES:
        copy = client.download_artifacts(version.run_id, f"verification/{PRODUCTION}/{name}", str(directory))
        Path(copy).replace(directory / name)
    run_info = client.get_run(version.run_id).info
    return version, f"{mlflow_url(factory)}#/experiments/{run_info.experiment_id}/runs/{run_info.run_id}"


def main() -> None:
    factory = deployed_factory()
    os.environ[Variable.MLFLOW_TRACKING_URI] = factory.output(Output.MLFLOW_TRACKING_URI)
    os.environ[Variable.ENDPOINT_NAME] = factory.output(Output.PRODUCTION_ENDPOINT_NAME)
    os.environ[Variable.STAGE] = PRODUCTION
    from ml_code.tracking.model_registry import RegistryError
    from ml_code.verification.settings import VerifySettings, read_settings
    from ml_code.verification.verify import summary, verify

    spec = load_spec()
    try:
        result = verify(f"models:/{spec.name}@{PRODUCTION}", read_settings(VerifySettings, os.environ), spec)
    except RegistryError as error:
        raise OperationError(f"Nothing to verify: {error}. {BEFORE_PRODUCTION}") from error
    print(summary(result))
    if not result["passed"]:
        raise OperationError("The production endpoint is below the gate; see verification.json.")


if __name__ == "__main__":
    run(main)
