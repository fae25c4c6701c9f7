"""Deploys a registered model version: `python -m ml_code.serving.deploy --model models:/NAME@ALIAS`."""

import json
import os
import secrets
import sys
import tempfile
from pathlib import Path

import boto3

from ml_code.serving import registry
from ml_code.serving.archive import build_archive, digest
from ml_code.serving.arguments import parse_model_uri
from ml_code.serving.endpoint import (
    Deployment,
    DeploymentError,
    StillUpdatingError,
    Waiter,
    deploy,
    resource_name,
)
from ml_code.serving.environment import DeploySettings, read_settings
from ml_code.serving.registry import RegisteredVersion, RegistryError


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


def upload_archive(s3: "boto3.client", bucket: str, version: RegisteredVersion, archive: bytes) -> str:
    key = f"serving/{version.name}/{version.version}/{digest(archive)}/model.tar.gz"
    s3.put_object(Bucket=bucket, Key=key, Body=archive)
    return f"s3://{bucket}/{key}"


def plan_deployment(
    settings: DeploySettings, version: RegisteredVersion, model_data_url: str, suffix: str
) -> Deployment:
    return Deployment(
        endpoint_name=settings.endpoint_name,
        resource_name=resource_name(settings.endpoint_name, version.version, suffix),
        role_arn=settings.endpoint_role_arn,
        image_uri=settings.image_uri,
        model_data_url=model_data_url,
        serverless_memory_mb=settings.serverless_memory_mb,
        serverless_max_concurrency=settings.serverless_max_concurrency,
        tags={**json.loads(settings.tags), **lineage_tags(settings.factory_name, version)},
    )


def run(model_uri: str, settings: DeploySettings) -> None:
    client = registry.connect(settings.mlflow_tracking_uri)
    version = registry.resolve(client, model_uri)
    print(
        f"{model_uri} is {version.name} version {version.version}, run {version.run_id}, "
        f"commit {version.commit}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as directory:
        folder = registry.download(client, version, Path(directory))
        archive = build_archive(serving_files(folder, version))
    url = upload_archive(boto3.client("s3"), settings.artifact_bucket, version, archive)
    print(f"uploaded {url} ({len(archive):,} bytes)", flush=True)
    deployment = plan_deployment(settings, version, url, secrets.token_hex(4))
    deploy(boto3.client("sagemaker"), deployment, Waiter(say=lambda line: print(line, flush=True)))
    print(f"endpoint {settings.endpoint_name} serves {version.name} version {version.version}", flush=True)


def main() -> None:
    model_uri = parse_model_uri("Deploy a registered model version to the endpoint.")
    try:
        run(model_uri, read_settings(DeploySettings, os.environ))
    except (ValueError, RegistryError, DeploymentError, StillUpdatingError) as error:
        sys.exit(f"deploy: {error}")


if __name__ == "__main__":
    main()
