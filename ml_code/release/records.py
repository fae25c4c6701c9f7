"""The records of the releases to production: an object each below `releases/<model>/`, written once.

The role of production's deployment alone writes them. The alias `production` of the registry is a copy: MLflow cannot
keep others from moving it, so who relies on it compares it with the newest record.
"""

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ml_code.contracts import PRODUCTION, releases_prefix
from ml_code.tracking import model_registry
from ml_code.tracking.model_registry import RegisteredVersion
from ml_code.write_once import put_once

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

if TYPE_CHECKING:
    from mlflow import MlflowClient


class RecordError(Exception):
    """The records and the registry do not agree, or a record cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release of a version to production: who let it go there, why, and what exactly went there."""

    model: str
    version: str
    run_id: str
    commit: str
    data_sha256: str
    execution_arn: str  # of the SageMaker pipeline
    code_uri: str
    previous: str  # version; empty for the first
    reason: str
    approved_by: str
    delivery: str  # CodePipeline's execution; empty when a person released
    archive_uri: str
    archive_sha256: str
    test_rows_sha256: str
    metric: str
    value: float  # of the metric, measured at the endpoint
    released_at: str  # ISO 8601, UTC

    @property
    def since(self) -> datetime:
        return datetime.fromisoformat(self.released_at)

    @property
    def registered(self) -> RegisteredVersion:
        """The version as it was released, even if its tags have changed since."""
        return RegisteredVersion(
            name=self.model,
            version=self.version,
            run_id=self.run_id,
            commit=self.commit,
            data_sha256=self.data_sha256,
            execution_arn=self.execution_arn,
            code_uri=self.code_uri,
        )


@dataclass(frozen=True, kw_only=True)
class Records:
    """The records of one model in the artifact bucket."""

    s3: "S3Client"
    bucket: str
    model: str

    def read(self) -> list[Release]:
        """All releases, the oldest first."""
        prefix = releases_prefix(self.model)
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = sorted(found["Key"] for page in pages for found in page.get("Contents", []))
        return [self._read(key) for key in keys]

    def newest(self) -> Release | None:
        releases = self.read()
        return releases[-1] if releases else None

    def write(self, release: Release) -> None:
        time = release.since.strftime("%Y-%m-%dT%H-%M-%S.%fZ")
        key = f"{releases_prefix(self.model)}{time}-v{release.version}.json"
        put_once(self.s3, self.bucket, key, json.dumps(asdict(release), indent=1).encode())

    def _read(self, key: str) -> Release:
        body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        try:
            document = json.loads(body)
            return Release(**{field.name: document[field.name] for field in fields(Release)})
        except (ValueError, TypeError, KeyError) as error:
            raise RecordError(
                f"s3://{self.bucket}/{key} is no record of a release ({type(error).__name__}: {error}): find out who "
                "wrote it, and remove it with an administrator's rights"
            ) from error


def alias_fault(client: "MlflowClient", model: str, newest: Release | None) -> str:
    """A sentence when the alias `production` does not name the version released last; else empty."""
    alias = model_registry.in_production(client, model)
    released = newest.version if newest else None
    if alias == released:
        return ""
    return (
        f"the alias {PRODUCTION} of {model} names version {alias or 'none'}, but the newest release is of version "
        f"{released or 'none'}: someone moved the alias without a release; make rollback or a delivery puts it right"
    )


def promote(client: "MlflowClient", records: Records, release: Release) -> None:
    """Move the alias and write the record, or neither. A release of what is there already is recorded, too."""
    before = model_registry.in_production(client, release.model)
    client.set_registered_model_alias(release.model, PRODUCTION, release.version)
    try:
        records.write(release)
    except Exception:
        if before is None:
            client.delete_registered_model_alias(release.model, PRODUCTION)
        else:
            client.set_registered_model_alias(release.model, PRODUCTION, before)
        raise


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
