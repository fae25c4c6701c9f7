"""The MLflow registry as a deployment sees it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MODEL_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[^/@]+))")


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


def connect(tracking_uri: str) -> "MlflowClient":
    # About two seconds, which arguments and environment need not wait for.
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    return mlflow.MlflowClient(tracking_uri=tracking_uri)


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
    )


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
    from mlflow.artifacts import download_artifacts

    uri = client.get_model_version_download_uri(version.name, version.version)
    try:
        folder = Path(download_artifacts(artifact_uri=uri, dst_path=str(directory)))
    except Exception as error:
        raise RegistryError(_gone(version, uri, str(error))) from error
    if not (folder / "model.pkl").is_file():
        raise RegistryError(_gone(version, uri, "there is no model.pkl"))
    return folder


def request_schema(model_folder: Path) -> list[dict[str, Any]]:
    """The columns of a request as training recorded them: metadata `schema` of the MLflow model."""
    described = yaml.safe_load((model_folder / "MLmodel").read_text(encoding="utf-8"))
    columns = (described.get("metadata") or {}).get("schema")
    if not columns:
        raise RegistryError(
            "the model's MLmodel file has no metadata `schema`, so its requests cannot be checked; "
            "train again with this code"
        )
    return list(columns)


def _gone(version: RegisteredVersion, uri: str, reason: str) -> str:
    return (
        f"the files of {version.name} version {version.version} cannot be read at {uri} ({reason}); "
        "deploy another version or train again from its commit"
    )
