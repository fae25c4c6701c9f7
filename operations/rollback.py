"""Puts an earlier production version back, guarded like any release: `make rollback`, `make rollback TO=VERSION`."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from ml_code.contracts import PRODUCTION
from ml_code.release import archives
from ml_code.release.delivery_record import caller
from ml_code.release.pushed_code import read_pushed_code
from ml_code.release.records import Records, Release, alias_fault
from ml_code.release.rollout import Promotion
from ml_code.release.settings import ReleaseSettings
from ml_code.verification.settings import read_settings
from operations.errors import OperationError, run
from operations.factory import (
    Model,
    add_model_argument,
    deploy_environment,
    deployed_factory,
    mlflow_client,
    release_records,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

ROLLBACK = "rollback"  # the reason in the record


def choose(releases: list[Release], version: str) -> Release:
    """The release whose archive is to serve again; without a version the one that a delivery replaced last."""
    if not releases:
        raise OperationError("Nothing to roll back to: no version was in production yet.")
    now, known = releases[-1].version, sorted({release.version for release in releases}, key=int)
    if version == now:
        raise OperationError(f"Version {version} is in production now: there is nothing to roll back.")
    if version:
        found = [release for release in releases if release.version == version]
        if not found:
            raise OperationError(
                f"Version {version} was never in production, allowed are {', '.join(known)}: a version gets there "
                "by a delivery (make run)."
            )
        return found[-1]
    # What a rollback has put back was delivered some time before: one rollback undoes one delivery.
    delivered = [
        index
        for index, release in enumerate(releases)
        if release.version == now and release.reason != ROLLBACK
    ]
    before = [release for release in releases[: delivered[-1]] if release.version != now]
    if not before:
        others = [other for other in known if other != now]
        hint = f": make rollback TO=VERSION goes to one of {', '.join(others)}" if others else ""
        raise OperationError(
            f"Nothing to roll back to: no version was in production before version {now}{hint}."
        )
    return before[-1]


def check_endpoint(name: str) -> None:
    try:
        boto3.client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        if "Could not find" not in str(error):
            raise
        raise OperationError(
            f"Endpoint {name} does not exist, so nothing can be rolled back: a delivery makes it (make run)."
        ) from None


def roll_back(model: Model, client: "MlflowClient", records: Records, version: str) -> None:
    """Serve the archive of the record, byte by byte, and point the alias to its version, even if someone moved it."""
    from ml_code.release.release import FAILURES, release_version

    releases = records.read()
    chosen = choose(releases, version)
    settings = read_settings(ReleaseSettings, {**os.environ, **deploy_environment(model, PRODUCTION)})
    check_endpoint(settings.endpoint_name)
    if fault := alias_fault(client, records.model, releases[-1]):
        print(f"rollback: FAULT: {fault}", file=sys.stderr)
    promotion = Promotion(reason=ROLLBACK, approved_by=caller(), delivery="")
    try:
        pinned = archives.released(chosen)
        content = archives.read(records.s3, pinned)
        spec = read_pushed_code(records.s3, chosen.code_uri).spec(records.model)
        release_version(client, chosen.registered, pinned, content, spec, settings, promotion)
    except FAILURES as error:
        hint = ", or choose another with make rollback TO=VERSION (make history lists them)"
        raise OperationError(f"rollback: {error}{hint}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", default="", help="a version that was in production")
    add_model_argument(parser)
    arguments = parser.parse_args()
    factory = deployed_factory()
    model = factory.model(arguments.model)
    roll_back(model, mlflow_client(factory), release_records(factory, model), arguments.to)


if __name__ == "__main__":
    run(main)
