"""The deployment of a release: the version's archive, and its lineage in the tags."""

import json
import secrets
from pathlib import Path

from ml_code.contracts import Tag
from ml_code.estimators.libraries import LIBRARY_FOLDER
from ml_code.estimators.saving import read_files
from ml_code.inference.integrity import MANIFEST, manifest
from ml_code.package_wheel import build_wheel, package_files
from ml_code.release.endpoint import Deployment, resource_name
from ml_code.release.endpoint_settings import read_endpoint_settings
from ml_code.release.settings import ReleaseSettings
from ml_code.tracking import model_registry
from ml_code.tracking.model_registry import RegisteredVersion


def serving_files(model_folder: Path, version: RegisteredVersion) -> dict[str, bytes]:
    """The files of the endpoint's model archive."""
    _, wheel = build_wheel()
    package = package_files(wheel)
    metadata = {
        "name": version.name,
        "version": version.version,
        "run_id": version.run_id,
        "commit": version.commit,
        "data_sha256": version.data_sha256,
        "execution_arn": version.execution_arn,
        "schema": model_registry.request_schema(model_folder),
    }
    files = {
        **read_files(model_folder),
        "metadata.json": json.dumps(metadata, indent=1, sort_keys=True).encode(),
        "code/wsgi.py": package["ml_code/inference/wsgi.py"],
        **_library_files(model_folder),
        **{f"code/{name}": content for name, content in package.items()},
    }
    return {**files, MANIFEST: manifest(files)}


def _library_files(model_folder: Path) -> dict[str, bytes]:
    """The files of the library that the image lacks, as training brought them: trusted like the pickled model beside them."""
    files: dict[str, bytes] = {}
    for wheel in sorted((model_folder / LIBRARY_FOLDER).glob("*.whl")):
        files |= {f"code/{name}": content for name, content in package_files(wheel.read_bytes()).items()}
    return files


def lineage_tags(factory_name: str, version: RegisteredVersion) -> dict[str, str]:
    return {
        Tag.FACTORY: factory_name,
        Tag.MODEL_NAME: version.name,
        Tag.MODEL_VERSION: version.version,
        Tag.RUN_ID: version.run_id,
        Tag.COMMIT: version.commit,
        Tag.DATA_SHA256: version.data_sha256,
        Tag.EXECUTION_ARN: version.execution_arn,
        Tag.CODE_URI: version.code_uri,
    }


def plan_deployment(
    settings: ReleaseSettings, version: RegisteredVersion, model_data_url: str, model_manifest_sha256: str
) -> Deployment:
    return Deployment(
        endpoint_name=settings.endpoint_name,
        resource_name=resource_name(settings.endpoint_name, version.version, secrets.token_hex(4)),
        role_arn=settings.endpoint_role_arn,
        image_uri=settings.image_uri,
        model_data_url=model_data_url,
        model_manifest_sha256=model_manifest_sha256,
        endpoint_settings=read_endpoint_settings(settings.endpoint_settings),
        tags={**json.loads(settings.tags), **lineage_tags(settings.factory_name, version)},
    )
