"""Hashes of all that a model is trained from, and the record of those of its last training."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ml_code.contracts import Prefix, of_model
from ml_code.execution.content import content_hash
from ml_code.execution.job_wheels import Pin
from ml_code.spec import MODELS

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Rooms of ml_code whose code no model is made by.
_OF_BUILDS = ("execution", "release")


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training that a build began; `execution_arn` is empty until SageMaker has started it."""

    inputs: Mapping[str, str]
    commit: str
    build_id: str
    execution_arn: str = ""


def model_inputs(
    project: Path, model: str, *, pins: list[Pin], settings_json: str, data_version: str
) -> dict[str, str]:
    """Hash each input: the model's folder, the code, the libraries that travel with its jobs, its settings, its data."""
    code = [
        path.relative_to(project).as_posix()
        for path in sorted((project / "ml_code").iterdir())
        if path.name not in _OF_BUILDS
    ]
    libraries = sorted(f"{pin.name}=={pin.version}" for pin in pins)
    return {
        "folder": content_hash(project, [(MODELS / model).as_posix()]),
        "code": content_hash(project, code),
        "libraries": _hash("\n".join(libraries)),
        "settings": _hash(settings_json),
        "data": data_version,
    }


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [name for name, value in now.items() if before.get(name) != value]


def write_training(s3: "S3Client", bucket: str, model: str, training: Training) -> None:
    s3.put_object(Bucket=bucket, Key=_key(model), Body=json.dumps(asdict(training)).encode())


def read_training(s3: "S3Client", bucket: str, model: str) -> Training | None:
    """None before the first one."""
    try:
        body = s3.get_object(Bucket=bucket, Key=_key(model))["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    return Training(**json.loads(body))


def _key(model: str) -> str:
    return f"{of_model(Prefix.INPUTS, model)}training.json"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
