"""Brings a version to an endpoint, or leaves everything as it was: `python -m ml_code.release.release`.

In a delivery the version is the one that its Build registered, as far as SageMaker's record agrees; Production takes
over what Staging published and a person approved. By hand, `--version 3` names it.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from ml_code.contracts import AUTOMATIC_APPROVAL, PRODUCTION, STAGING
from ml_code.release import archives
from ml_code.release.approval_page import request_approval, write_exports
from ml_code.release.archives import ArchiveError, PinnedArchive, ServedContent
from ml_code.release.delivery_record import DeliveryError, caller, read_delivery
from ml_code.release.deploy import plan_deployment
from ml_code.release.endpoint import DeploymentError, StillUpdatingError
from ml_code.release.pushed_code import PushedCodeError, read_pushed_code
from ml_code.release.records import RecordError, Records
from ml_code.release.rollout import Promotion, ReleaseError, Rollout, say
from ml_code.release.settings import ReleaseSettings
from ml_code.release.training_record import ClaimError, check_training
from ml_code.spec import ModelSpec, SpecError
from ml_code.tracking import model_registry
from ml_code.tracking.model_registry import RegisteredVersion, RegistryError
from ml_code.tracking.model_uri import parse_model_uri
from ml_code.verification.settings import read_settings
from ml_code.verification.test_rows import parse_test_rows
from ml_code.verification.verify import import_ahead
from ml_code.write_once import WriteOnceError

if TYPE_CHECKING:
    from mlflow import MlflowClient

FAILURES = (
    ValueError,
    RegistryError,
    SpecError,
    DeploymentError,
    StillUpdatingError,
    ReleaseError,
    ArchiveError,
    ClaimError,
    DeliveryError,
    PushedCodeError,
    RecordError,
    WriteOnceError,
    ClientError,
)

BY_HAND = "by hand"


def release_version(
    client: "MlflowClient",
    version: RegisteredVersion,
    archive: PinnedArchive,
    content: ServedContent,
    spec: ModelSpec,
    settings: ReleaseSettings,
    promotion: Promotion | None,
) -> dict[str, Any]:
    """Serve the archive, whose bytes are `content`; what the verification reports."""
    import_ahead()
    verification = Rollout(
        client=client,
        version=version,
        test_rows=parse_test_rows(content.test_rows, spec),
        settings=settings,
        spec=spec,
        deployment=plan_deployment(settings, version, archive.uri, content.manifest_sha256),
        records=Records(s3=boto3.client("s3"), bucket=settings.artifact_bucket, model=settings.model_name),
        promotion=promotion,
        archive=archive,
    ).run()
    say(f"endpoint {settings.endpoint_name} serves {version.name} version {version.version}")
    return verification


def release_by_hand(model_uri: str, settings: ReleaseSettings) -> None:
    """Build the archive anew, with the rights and in the name of the caller."""
    client, s3 = model_registry.connect(settings.mlflow_tracking_uri), boto3.client("s3")
    version = _resolve(client, model_uri)
    content = archives.build(client, version)
    archive = archives.publish(s3, settings.artifact_bucket, settings.stage, version, content)
    say(f"published {archive.uri}")
    promotion = None
    if settings.stage == PRODUCTION:
        promotion = Promotion(reason=BY_HAND, approved_by=caller(), delivery="")
    spec = read_pushed_code(s3, version.code_uri).spec(settings.model_name)
    release_version(client, version, archive, content, spec, settings, promotion)


def release_delivery(settings: ReleaseSettings) -> None:
    """One stage of a delivery."""
    client, s3 = model_registry.connect(settings.mlflow_tracking_uri), boto3.client("s3")
    delivery = read_delivery(
        boto3.client("codepipeline"), settings.resource_prefix, settings.delivery_execution
    )
    training = delivery.training
    version = _resolve(client, f"models:/{settings.model_name}/{training.model_version}")
    code = read_pushed_code(s3, version.code_uri)
    spec = code.spec(settings.model_name)
    check_training(
        boto3.client("sagemaker"),
        training=training,
        version=version,
        gate=spec.gate,
        pipeline=settings.resource_prefix,
        commit=delivery.commit,
    )
    if settings.stage == PRODUCTION:
        approved = archives.pinned(settings.artifact_bucket, STAGING, version, delivery.staged)
        content = archives.read(s3, approved)
        archive = archives.publish(s3, settings.artifact_bucket, PRODUCTION, version, content)
        is_automatic = settings.approval == AUTOMATIC_APPROVAL
        promotion = Promotion(
            reason="delivery",
            approved_by=AUTOMATIC_APPROVAL if is_automatic else delivery.approved_by,
            delivery=delivery.execution,
        )
        release_version(client, version, archive, content, spec, settings, promotion)
        write_exports({})
        return
    model_registry.set_owners(client, version.name, settings.owners_text)
    content = archives.build(client, version)
    archive = archives.publish(s3, settings.artifact_bucket, settings.stage, version, content)
    say(f"published {archive.uri}")
    verification = release_version(client, version, archive, content, spec, settings, None)
    test_rows = parse_test_rows(content.test_rows, spec)
    request_approval(client, settings, delivery, version, archive, code, test_rows, verification)


def _resolve(client: "MlflowClient", model_uri: str) -> RegisteredVersion:
    version = model_registry.resolve(client, model_uri)
    say(
        f"{model_uri} is {version.name} version {version.version}, run {version.run_id}, commit {version.commit}"
    )
    return version


def main() -> None:
    try:
        settings = read_settings(ReleaseSettings, os.environ)
        if settings.delivery_execution:
            release_delivery(settings)
        else:
            release_by_hand(
                parse_model_uri("Release a registered model version to the stage's endpoint."), settings
            )
    except FAILURES as error:
        sys.exit(f"release: {error}")


if __name__ == "__main__":
    main()
