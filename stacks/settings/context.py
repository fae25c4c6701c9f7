"""Reading the settings from the context of the CDK app.

They are in `cdk.json` under the context key `factory`. One of them is overridden for a single command with
`cdk deploy -c factory.<section>.<setting>=<value>`.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from stacks.settings.errors import CONTEXT_KEY, SettingError, setting_error
from stacks.settings.factory import FactoryConfig
from stacks.settings.moved import MOVED
from stacks.settings.reference import text_settings


def read_config(context: Mapping[str, Any]) -> FactoryConfig:
    """Read `factory` itself, then `factory.<path>` from the command line. SettingError says what is wrong."""
    section = context.get(CONTEXT_KEY, {})
    if not isinstance(section, Mapping):
        raise SettingError("", section, "an object of settings")
    prefix = f"{CONTEXT_KEY}."
    overrides = {key.removeprefix(prefix): value for key, value in context.items() if key.startswith(prefix)}
    _refuse_moved({**section, **overrides})
    settings = copy.deepcopy(dict(section))
    for path in sorted(overrides, key=lambda path: path.count(".")):
        _put(settings, path, _typed(path, overrides[path]))
    try:
        return FactoryConfig.model_validate(settings)
    except ValidationError as error:
        raise setting_error(error, FactoryConfig) from None


def _refuse_moved(settings: Mapping[str, Any]) -> None:
    for setting, value in settings.items():
        path = MOVED.get(setting)
        # Some names are those of a section now.
        if path and (setting not in FactoryConfig.model_fields or isinstance(value, str)):
            raise ValueError(
                f"Setting {CONTEXT_KEY}.{setting} is now {CONTEXT_KEY}.{path}: move {value!r} there."
            )


def _typed(path: str, value: object) -> object:
    """`-c` gives text only. What is no JSON stays text, and so does what belongs to a setting of text, such as a branch."""
    if not isinstance(value, str) or path in text_settings():
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _put(settings: dict[str, Any], path: str, value: object) -> None:
    *sections, name = path.split(".")
    for section in sections:
        if not isinstance(settings.get(section), dict):  # none, or a section that is off
            settings[section] = {}
        settings = settings[section]
    settings[name] = value
