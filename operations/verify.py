"""Invokes the production endpoint and compares its answers with the truth: `make verify`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from ml_code.contracts import PRODUCTION, Output
from ml_code.release import archives
from ml_code.release.archives import ArchiveError
from ml_code.release.pushed_code import PushedCodeError, read_pushed_code
from ml_code.release.records import Release, alias_fault
from ml_code.spec import find_model, load_spec, sample_data
from ml_code.table.files import read_files
from ml_code.table.text import write_csv
from ml_code.verification.invoke import VerificationError
from ml_code.verification.settings import VerifySettings
from ml_code.verification.test_rows import parse_test_rows
from operations.errors import OperationError, run
from operations.factory import (
    BEFORE_PRODUCTION,
    Factory,
    Model,
    add_model_argument,
    deployed_factory,
    mlflow_client,
    mlflow_url,
    release_records,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

FILES = ("verification.json", "verification.png", "verification.html")


def invoke_once(model: Model) -> str:
    """The production endpoint's answer to the first row of the sample data, with that row's truth."""
    spec, samples = load_spec(name=model.name), list(sample_data(name=model.name))
    folder = find_model(name=model.name)
    if not samples:
        raise OperationError(f"{folder} has no sample data to take a row of.")
    frame = read_files(folder / "data", samples[:1], spec.file_schema(), spec.ignored_names).head(1)
    (truth,) = frame[spec.target.name].tolist()
    response = boto3.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=model.endpoint(PRODUCTION),
        ContentType="text/csv",
        Accept="application/json",
        Body=write_csv(frame, spec.request_schema(), header=False),
    )
    return f"true {spec.target.name} {truth}, answer {response['Body'].read().decode()}"


def fetch_verification(factory: Factory, model: Model, directory: Path) -> tuple[Release, str]:
    """Copy what the production deployment's verification wrote; return the release and its run's URL."""
    client = mlflow_client(factory)
    release = newest_release(factory, client, model)
    for name in FILES:
        copy = client.download_artifacts(release.run_id, f"verification/{PRODUCTION}/{name}", str(directory))
        Path(copy).replace(directory / name)
    run_info = client.get_run(release.run_id).info
    return release, f"{mlflow_url(factory)}#/experiments/{run_info.experiment_id}/runs/{run_info.run_id}"


def newest_release(factory: Factory, client: "MlflowClient", model: Model) -> Release:
    """OperationError when the registry's alias names another version."""
    release = release_records(factory, model).newest()
    if release is None:
        raise OperationError(f"Nothing to verify: {model.name} was never in production. {BEFORE_PRODUCTION}")
    if fault := alias_fault(client, model.name, release):
        raise OperationError(f"Fault: {fault}.")
    return release


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_model_argument(parser)
    factory = deployed_factory()
    model = factory.model(parser.parse_args().model)
    settings = VerifySettings(
        mlflow_tracking_uri=factory.output(Output.MLFLOW_TRACKING_URI),
        endpoint_name=model.endpoint(PRODUCTION),
        stage=PRODUCTION,
    )
    from ml_code.verification.verify import summary, verify_version

    client, s3 = mlflow_client(factory), boto3.client("s3")
    release = newest_release(factory, client, model)
    try:
        content = archives.read(s3, archives.released(release))
        spec = read_pushed_code(s3, release.code_uri).spec(model.name)
        test_rows = parse_test_rows(content.test_rows, spec)
        result = verify_version(client, release.registered, test_rows, settings, spec)
    except (ArchiveError, PushedCodeError, VerificationError) as error:
        raise OperationError(f"verify: {error}") from error
    print(summary(result))
    if not result["passed"]:
        raise OperationError("The production endpoint is below the gate; see verification.json.")


if __name__ == "__main__":
    run(main)
