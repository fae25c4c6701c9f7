"""What a deployment's entry points read from the environment."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Settings = TypeVar("Settings")


@dataclass(frozen=True, kw_only=True)
class RegistrySettings:
    mlflow_tracking_uri: str


@dataclass(frozen=True, kw_only=True)
class DeploySettings(RegistrySettings):
    factory_name: str
    endpoint_name: str
    endpoint_role_arn: str
    artifact_bucket: str
    image_uri: str
    serverless_memory_mb: int
    serverless_max_concurrency: int
    tags: str  # a JSON object: those of the settings, besides the lineage


@dataclass(frozen=True, kw_only=True)
class VerifySettings(RegistrySettings):
    endpoint_name: str
    stage: str


def read_settings(kind: type[Settings], environment: Mapping[str, str]) -> Settings:
    """The environment as `kind`: field `endpoint_name` is variable ENDPOINT_NAME."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    names = {field.name: field.name.upper() for field in fields}
    missing = sorted(name for name in names.values() if not environment.get(name))
    if missing:
        raise ValueError(f"set the environment variable(s) {', '.join(missing)}")
    values: dict[str, Any] = {}
    for field in fields:
        text = environment[names[field.name]]
        values[field.name] = _integer(names[field.name], text) if field.type is int else text
    return kind(**values)


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name} must be a whole number, got {text!r}") from None
