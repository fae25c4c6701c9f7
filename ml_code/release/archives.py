"""The archive that a release puts behind an endpoint, and the rows it is verified with: pinned by their SHA-256.

Staging builds both from MLflow, once. Production takes over exactly what was approved; a rollback takes what its
record names.
"""

import io
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ml_code.contracts import serving_prefix
from ml_code.inference.integrity import MANIFEST
from ml_code.release.delivery_record import Staged
from ml_code.release.deploy import serving_files
from ml_code.release.model_archive import build_archive
from ml_code.release.records import Release
from ml_code.s3_uri import bucket_and_key
from ml_code.tracking import model_registry
from ml_code.tracking.model_registry import RegisteredVersion
from ml_code.verification.test_rows import TEST_DATA, download_test_rows
from ml_code.write_once import put_once, sha256

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

if TYPE_CHECKING:
    from mlflow import MlflowClient


class ArchiveError(Exception):
    """An archive in S3 that is not the approved one."""


@dataclass(frozen=True, kw_only=True)
class PinnedArchive:
    """The rows lie beside the archive."""

    uri: str
    sha256: str
    test_rows_sha256: str

    @property
    def folder(self) -> str:
        return self.uri.rpartition("/")[0]


@dataclass(frozen=True, kw_only=True)
class ServedContent:
    archive: bytes
    test_rows: bytes

    @property
    def manifest_sha256(self) -> str:
        """The SHA-256 of the manifest, which a container compares at its start."""
        with tarfile.open(fileobj=io.BytesIO(self.archive)) as tar:
            file = tar.extractfile(MANIFEST)
            return sha256(file.read()) if file else ""


def build(client: "MlflowClient", version: RegisteredVersion) -> ServedContent:
    """Build the archive from MLflow's model and this code; fetch the rows that verify it."""
    with tempfile.TemporaryDirectory() as directory:
        folder = model_registry.download(client, version, Path(directory))
        archive = build_archive(serving_files(folder, version))
    return ServedContent(archive=archive, test_rows=download_test_rows(client, version))


def publish(
    s3: "S3Client", bucket: str, stage: str, version: RegisteredVersion, content: ServedContent
) -> PinnedArchive:
    digests = Staged(archive_sha256=sha256(content.archive), test_rows_sha256=sha256(content.test_rows))
    folder = _folder(stage, version, digests.archive_sha256)
    put_once(s3, bucket, f"{folder}/model.tar.gz", content.archive)
    put_once(s3, bucket, f"{folder}/{TEST_DATA}", content.test_rows)
    return pinned(bucket, stage, version, digests)


def pinned(bucket: str, stage: str, version: RegisteredVersion, staged: Staged) -> PinnedArchive:
    """The version's archive as the stage published it."""
    return PinnedArchive(
        uri=f"s3://{bucket}/{_folder(stage, version, staged.archive_sha256)}/model.tar.gz",
        sha256=staged.archive_sha256,
        test_rows_sha256=staged.test_rows_sha256,
    )


def released(release: Release) -> PinnedArchive:
    return PinnedArchive(
        uri=release.archive_uri, sha256=release.archive_sha256, test_rows_sha256=release.test_rows_sha256
    )


def _folder(stage: str, version: RegisteredVersion, digest: str) -> str:
    return f"{serving_prefix(stage, version.name)}{version.version}/{digest}"


def read(s3: "S3Client", archive: PinnedArchive) -> ServedContent:
    """ArchiveError when a byte differs from what was pinned."""
    return ServedContent(
        archive=_read(s3, archive.uri, archive.sha256),
        test_rows=_read(s3, f"{archive.folder}/{TEST_DATA}", archive.test_rows_sha256),
    )


def _read(s3: "S3Client", uri: str, expected: str) -> bytes:
    bucket, key = bucket_and_key(uri)
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        raise ArchiveError(
            f"{uri} is gone: train again from its commit, or release another version"
        ) from None
    found = sha256(body)
    if found != expected:
        raise ArchiveError(
            f"{uri} has SHA-256 {found}, but {expected} was approved: the archive was changed, so nothing is released"
        )
    return body
