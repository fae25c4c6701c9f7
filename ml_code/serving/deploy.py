"""What a release puts behind an endpoint: the version's archive, and its lineage in the tags."""

import json
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from ml_code import registry
from ml_code.registry import RegisteredVersion
from ml_code.serving.archive import build_archive, digest
from ml_code.serving.endpoint import Deployment, resource_name
from ml_code.serving.environment import ReleaseSettings
from ml_code.serving.hosting import read_hosting

if TYPE_CHECKING:
    from mlflow import MlflowClient


def serving_files(model_folder: Path, version: RegisteredVersion) -> dict[str, bytes]:
    """What the endpoint's model archive holds."""
    code = Path(__file__).parent
    metadata = {
        "name": version.name,
        "version": version.version,
        "run_id": version.run_id,
        "commit": version.commit,
        "data_sha256": version.data_sha256,
        "execution_arn": version.execution_arn,
        "schema": registry.request_schema(model_folder),
    }
    return {
        "model.pkl": (model_folder / "model.pkl").read_bytes(),
        "metadata.json": json.dumps(metadata, indent=1, sort_keys=True).encode(),
        "code/inference.py": (code / "inference.py").read_bytes(),
        "code/row_schema.py": (code.parent / "schema.py").read_bytes(),
    }


def lineage_tags(factory_name: str, version: RegisteredVersion) -> dict[str, str]:
    return {
        "model-factory": factory_name,
        "model-name": version.name,
        "model-version": version.version,
        "run-id": version.run_id,
        "commit": version.commit,
        "data-sha256": version.data_sha256,
        "execution-arn": version.execution_arn,
        "code-uri": version.code_uri,
    }


def publish_archive(client: "MlflowClient", version: RegisteredVersion, bucket: str) -> str:
    """The S3 URI of the version's archive."""
    with tempfile.TemporaryDirectory() as directory:
        folder = registry.download(client, version, Path(directory))
        archive = build_archive(serving_files(folder, version))
    key = f"serving/{version.name}/{version.version}/{digest(archive)}/model.tar.gz"
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=archive)
    return f"s3://{bucket}/{key}"


def plan_deployment(settings: ReleaseSettings, version: RegisteredVersion, model_data_url: str) -> Deployment:
    return Deployment(
        endpoint_name=settings.endpoint_name,
        resource_name=resource_name(settings.endpoint_name, version.version, secrets.token_hex(4)),
        role_arn=settings.endpoint_role_arn,
        image_uri=settings.image_uri,
        model_data_url=model_data_url,
        hosting=read_hosting(settings.endpoint_settings),
        tags={**json.loads(settings.tags), **lineage_tags(settings.factory_name, version)},
    )
