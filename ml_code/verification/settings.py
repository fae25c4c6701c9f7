"""The settings of verification and release, from the environment."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

Settings = TypeVar("Settings")


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    mlflow_tracking_uri: str
    endpoint_name: str
    stage: str


def read_settings(kind: type[Settings], environment: Mapping[str, str]) -> Settings:
    """The environment as `kind`: field `endpoint_name` is variable ENDPOINT_NAME."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    names = {field.name: field.name.upper() for field in fields}
    required = {names[field.name] for field in fields if field.default is dataclasses.MISSING}
    missing = sorted(name for name in required if not environment.get(name))
    if missing:
        raise ValueError(f"set the environment variable(s) {', '.join(missing)}")
    return kind(**{field: environment[name] for field, name in names.items() if environment.get(name)})
