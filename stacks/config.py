"""The settings of the factory, read from the context and checked.

Settings are in `cdk.json` under the context key `factory`. One of them is overridden for a single command
with `cdk deploy -c factory.<setting>=<value>`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from stacks.config_combinations import COMBINATIONS
from stacks.config_rules import RULES
from stacks.config_settings import CONTEXT_KEY, SettingError, Settings


@dataclass(frozen=True, kw_only=True)
class FactoryConfig(Settings):
    """Settings that are allowed, each by itself and together."""

    def __post_init__(self) -> None:
        for setting, (allowed, accepts) in RULES.items():
            value = getattr(self, setting)
            if not accepts(value):
                raise SettingError(setting, value, allowed)
        for refuse in COMBINATIONS:
            refuse(self)

    @property
    def keeps_data_on_destroy(self) -> bool:
        return self.stage == "prod"

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> "FactoryConfig":
        """Read the context of the CDK app: `factory` itself, then `factory.<setting>` from the command line."""
        section = context.get(CONTEXT_KEY, {})
        if not isinstance(section, Mapping):
            message = f"Context key {CONTEXT_KEY} is {section!r}, allowed is an object of settings."
            raise ValueError(message)  # noqa: TRY004 (as every other mistake in the settings)
        prefix = f"{CONTEXT_KEY}."
        overrides = {
            key.removeprefix(prefix): value for key, value in context.items() if key.startswith(prefix)
        }
        types = {field.name: field.type for field in fields(cls)}
        for setting, value in {**section, **overrides}.items():
            if setting not in types:
                raise SettingError(setting, value, f"one of these settings: {', '.join(types)}")
        typed = {key: _from_command_line(value, types[key]) for key, value in overrides.items()}
        settings: dict[str, Any] = {
            key: tuple(value) if types[key] == tuple[str, ...] and isinstance(value, list) else value
            for key, value in {**section, **typed}.items()
        }
        return cls(**settings)


def _from_command_line(value: object, type_: object) -> object:
    """`-c` gives text only; a list has commas. What does not fit stays text, for the setting's rule to refuse."""
    if not isinstance(value, str):
        return value
    if type_ is int and re.fullmatch(r"-?\d+", value):
        return int(value)
    if type_ is bool and value in ("true", "false"):
        return value == "true"
    if type_ == tuple[str, ...]:
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if type_ == Mapping[str, str]:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
