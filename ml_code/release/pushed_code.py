"""Reads the code that trained a version, as data: its model.yaml, and what differs from that of another version.

Nothing of it is imported or run. The archive is of a push, so its size is limited before it is unpacked.
"""

import gzip
import hashlib
import io
import re
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml_code.package_wheel import package_files
from ml_code.s3_uri import bucket_and_key
from ml_code.spec import MODEL_YAML, MODELS, ModelSpec, SpecError, parse_released_spec

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

ARCHIVE = "source.tar.gz"
MAX_BYTES = 500 * 1024**2
# What gzip, tarfile and zipfile raise of hostile bytes; RuntimeError of an encrypted member.
_UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, tarfile.TarError, zipfile.BadZipFile, zlib.error)
_PACKAGE = "ml_code/__init__.py"


class PushedCodeError(Exception):
    """The code of a version cannot be read."""


@dataclass(frozen=True)
class PushedCode:
    """The files by their paths, with the package's own wheel unpacked; other wheels are one file each."""

    files: dict[str, bytes]

    def spec(self, model: str) -> ModelSpec:
        """The description of the model; PushedCodeError when the push describes another."""
        found = []
        for name in sorted(self.files):
            if re.fullmatch(rf"{MODELS}/[^/]+/{re.escape(MODEL_YAML)}", name):
                try:
                    found.append(parse_released_spec(self.files[name].decode(), source=name))
                except (SpecError, UnicodeDecodeError) as error:
                    raise PushedCodeError(f"{name} of the push: {error}") from error
        for spec in found:
            if spec.name == model:
                return spec
        names = ", ".join(spec.name for spec in found) or "none"
        raise PushedCodeError(
            f"the push describes the model {names}, this factory was deployed for {model}: run cdk deploy with the new name"
        )

    def changes_since(self, before: "PushedCode") -> list[str]:
        """The changed files, each as `added`, `changed` or `removed` with its path."""
        lines = []
        for name in sorted({*self.files, *before.files}):
            if name not in before.files:
                lines.append(f"added {name}")
            elif name not in self.files:
                lines.append(f"removed {name}")
            elif self.files[name] != before.files[name]:
                lines.append(f"changed {name}")
        return lines


def read_pushed_code(s3: "S3Client", code_uri: str) -> PushedCode:
    bucket, prefix = bucket_and_key(code_uri)
    key = f"{prefix.rstrip('/')}/{ARCHIVE}"
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        raise PushedCodeError(f"s3://{bucket}/{key} is gone: train the version again") from None
    try:
        return PushedCode(_unpack(body))
    except _UNREADABLE as error:
        raise PushedCodeError(f"s3://{bucket}/{key} is not an archive of code: {error}") from error


def _unpack(archive: bytes) -> dict[str, bytes]:
    with gzip.open(io.BytesIO(archive)) as unzipped:
        plain = unzipped.read(MAX_BYTES + 1)
    if len(plain) > MAX_BYTES:
        raise PushedCodeError(f"the code unpacks to more than {MAX_BYTES:,} bytes, which is allowed")
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is None:
                raise PushedCodeError(f"{member.name!r} in the code is not a file")
            content = stream.read()
            if member.name.endswith(".whl") and (own := _package_files(content)):
                files.update(own)
            elif member.name.startswith("wheels/"):
                # Nobody reads them; their digests say whether they changed.
                files[member.name] = hashlib.sha256(content).digest()
            else:
                files[member.name] = content
    return files


def _package_files(wheel: bytes) -> dict[str, bytes]:
    """The files of the wheel that has this project's package, however the push names its distribution; none of another's."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        if _PACKAGE not in archive.namelist():
            return {}
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise PushedCodeError(f"the package of the push unpacks to {size:,} bytes, allowed are {MAX_BYTES:,}")
    return package_files(wheel)
