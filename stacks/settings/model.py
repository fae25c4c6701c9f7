"""The settings of one model: those of cdk.json, and above them what its model.yaml has under `factory`."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from stacks.settings.errors import setting_error
from stacks.settings.factory import FactoryConfig

# The sections that belong to a model. Of the triggers only those that a model has of its own.
OF_MODEL = ("approval", "compute", "owners", "production", "retired_data", "staging", "tags", "triggers")
OWN_TRIGGERS = ("new_data", "schedule")


def model_config(factory: FactoryConfig, model: str, own: Mapping[str, Any]) -> FactoryConfig:
    """Return the model's settings; ValueError names a setting that only the factory can have."""
    for section, value in own.items():
        allowed = OF_MODEL if section != "triggers" else OWN_TRIGGERS
        odd = [section] if section not in OF_MODEL else []
        if section == "triggers" and isinstance(value, Mapping):
            odd = [f"triggers.{name}" for name in value if name not in OWN_TRIGGERS]
        if odd:
            raise ValueError(
                f"models/{model}/model.yaml: factory.{odd[0]} is no setting of a model; allowed: {', '.join(allowed)}"
            )
    try:
        return FactoryConfig.model_validate(_merged(factory.model_dump(), own))
    except ValidationError as error:
        raise ValueError(f"models/{model}/model.yaml: {setting_error(error, FactoryConfig)}") from None


def _merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A section of another type takes nothing of the defaults."""
    merged = dict(defaults)
    for name, value in own.items():
        default = merged.get(name)
        if isinstance(default, Mapping) and isinstance(value, Mapping):
            has_other_type = "type" in value and value["type"] != default.get("type")
            merged[name] = dict(value) if has_other_type else _merged(default, value)
        else:
            merged[name] = value
    return merged
