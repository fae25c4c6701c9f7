"""Puts an earlier production version back, guarded like any release: `make rollback`, `make rollback TO=VERSION`."""

import argparse
import os
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from ml_code.contracts import PRODUCTION
from ml_code.release.delivery_record import caller
from ml_code.release.settings import ReleaseSettings
from ml_code.spec import load_spec
from ml_code.tracking import production_history
from ml_code.tracking.production_history import Period, Promotion
from ml_code.verification.settings import read_settings
from operations import objects
from operations.errors import OperationError, run
from operations.factory import Factory, deploy_environment, deployed_factory, mlflow_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

ROLLBACK = "rollback"  # the reason in the history


def choose(periods: list[Period], version: str) -> Period:
    """The period whose archive is to serve again; without a version the one that a delivery replaced last."""
    if not periods:
        raise OperationError("Nothing to roll back to: no version was in production yet.")
    now, known = periods[-1].version, sorted({period.version for period in periods}, key=int)
    if version == now:
        raise OperationError(f"Version {version} is in production now: there is nothing to roll back.")
    if version:
        found = [period for period in periods if period.version == version]
        if not found:
            raise OperationError(
                f"Version {version} was never in production, allowed are {', '.join(known)}: a version gets there "
                "by a delivery (make run)."
            )
        return found[-1]
    # What a rollback has put back was delivered some time before: one rollback undoes one delivery.
    delivered = [
        index
        for index, period in enumerate(periods)
        if period.version == now and period.promotion.reason != ROLLBACK
    ]
    before = [period for period in periods[: delivered[-1]] if period.version != now]
    if not before:
        others = [other for other in known if other != now]
        hint = f": make rollback TO=VERSION goes to one of {', '.join(others)}" if others else ""
        raise OperationError(
            f"Nothing to roll back to: no version was in production before version {now}{hint}."
        )
    return before[-1]


def check_archive(period: Period) -> None:
    if not objects.exists(period.promotion.archive):
        raise OperationError(
            f"The files of version {period.version} are gone ({period.promotion.archive}): choose another with "
            "make rollback TO=VERSION (make history lists them), or train again from its commit."
        )


def check_endpoint(name: str) -> None:
    try:
        boto3.client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        if "Could not find" not in str(error):
            raise
        raise OperationError(
            f"Endpoint {name} does not exist, so nothing can be rolled back: a delivery makes it (make run)."
        ) from None


def roll_back(factory: Factory, client: "MlflowClient", version: str) -> None:
    from ml_code.release.release import FAILURES, release_archive
    from ml_code.tracking.model_registry import resolve

    spec = load_spec()
    period = choose(production_history.read(client, spec.name), version)
    settings = read_settings(ReleaseSettings, {**os.environ, **deploy_environment(factory, PRODUCTION)})
    check_archive(period)
    check_endpoint(settings.endpoint_name)
    archive = period.promotion.archive
    promotion = Promotion(reason=ROLLBACK, approved_by=caller(), delivery="", archive=archive)
    try:
        found = resolve(client, f"models:/{spec.name}/{period.version}")
        release_archive(client, found, archive, settings, spec, promotion)
    except FAILURES as error:
        raise OperationError(f"rollback: {error}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", default="", help="a version that was in production")
    version = parser.parse_args().to
    factory = deployed_factory()
    roll_back(factory, mlflow_client(factory), version)


if __name__ == "__main__":
    run(main)
