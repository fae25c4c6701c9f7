"""The MLflow registry as jobs and deployments see it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_code.contracts import PRODUCTION

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

_MODEL_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[^/@]+))")
_OWNERS = "owners"


class RegistryError(Exception):
    """The registry does not hold what was asked for."""


@dataclass(frozen=True, kw_only=True)
class RegisteredVersion:
    name: str
    version: str
    run_id: str
    commit: str
    data_sha256: str
    execution_arn: str
    code_uri: str


def connect(tracking_uri: str) -> "MlflowClient":
    # About two seconds, which arguments and environment need not wait for.
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def resolve(client: "MlflowClient", model_uri: str) -> RegisteredVersion:
    """The version behind `models:/name/3` or `models:/name@alias`."""
    from mlflow.exceptions import MlflowException

    match = _MODEL_URI.fullmatch(model_uri)
    if match is None:
        raise RegistryError(f"a model is models:/NAME/VERSION or models:/NAME@ALIAS, got {model_uri!r}")
    name, version, alias = match["name"], match["version"], match["alias"]
    try:
        if alias:
            found = client.get_model_version_by_alias(name, alias)
        else:
            found = client.get_model_version(name, version)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise RegistryError(f"{model_uri} is not in the registry: {_what_there_is(client, name)}") from error
    tags = found.tags
    return RegisteredVersion(
        name=name,
        version=str(found.version),
        run_id=found.run_id or "",
        commit=tags.get("commit", ""),
        data_sha256=tags.get("data_sha256", ""),
        execution_arn=tags.get("execution_arn", ""),
        code_uri=tags.get("code_uri", ""),
    )


def in_production(client: "MlflowClient", name: str) -> str | None:
    """The version with the alias `production`."""
    holder = client.get_registered_model(name).aliases.get(PRODUCTION)
    return None if holder is None else str(holder)


def set_owners(client: "MlflowClient", name: str, owners: str) -> None:
    """Set the tag of the registered model if it differs; a tag once set becomes empty, and is not deleted."""
    if owners != owners_of(client.get_registered_model(name)):
        client.set_registered_model_tag(name, _OWNERS, owners)


def owners_of(model: "RegisteredModel") -> str:
    return str(model.tags.get(_OWNERS, ""))


def _what_there_is(client: "MlflowClient", name: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        model = client.get_registered_model(name)
    except MlflowException:
        names = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
        return f"no model {name!r}; registered models: {names}"
    versions = sorted(int(version.version) for version in client.search_model_versions(f"name = '{name}'"))
    aliases = ", ".join(f"{alias} = {version}" for alias, version in sorted(model.aliases.items()))
    return f"{name} has versions {versions or 'none'} and aliases {aliases or 'none'}"


def download(client: "MlflowClient", version: RegisteredVersion, directory: Path) -> Path:
    """The folder with the version's files, `model.pkl` among them."""
    from botocore.exceptions import ClientError
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    uri = client.get_model_version_download_uri(version.name, version.version)
    try:
        folder = Path(download_artifacts(artifact_uri=uri, dst_path=str(directory)))
    except (MlflowException, ClientError, OSError) as error:
        raise RegistryError(_gone(version, uri, " ".join(str(error).split()))) from error
    if not (folder / "model.pkl").is_file():
        raise RegistryError(_gone(version, uri, "there is no model.pkl"))
    return folder


def request_schema(model_folder: Path) -> Any:
    """The schema of a request, as training saved it with the model."""
    path = model_folder / "schema.json"
    if not path.is_file():
        raise RegistryError(
            "the model has no file schema.json to check requests against; train it again with this code"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def _gone(version: RegisteredVersion, uri: str, reason: str) -> str:
    return (
        f"the files of {version.name} version {version.version} cannot be read at {uri} ({reason}); "
        "if they are gone, release another version or train again from its commit"
    )
