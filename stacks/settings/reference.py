"""The reference of all settings, docs/settings.md, and the JSON Schema of cdk.json for editors."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from ml_code.spec import ModelSpec
from stacks.settings.errors import CONTEXT_KEY, json_schema, words
from stacks.settings.factory import FactoryConfig
from stacks.settings.model import OF_MODEL, OWN_TRIGGERS

_HEAD = f"""# Settings

<!-- Written by `make reference` from stacks/settings/. -->

In `cdk.json`, under `context.{CONTEXT_KEY}`. One of them for one command:
`cdk deploy -c {CONTEXT_KEY}.compute.training.instance_type=ml.c5.xlarge`; a section as JSON:
`-c '{CONTEXT_KEY}.production={{"type": "realtime"}}'`. A wrong key or value stops the synthesis with one sentence. Editors
complete and check `cdk.json` by [its JSON Schema](cdk.schema.json).

A section with a `type` has the settings of that type only. A section that may be `false` is off then; `true` is the section
with its defaults.

| setting | default | allowed | what it does |
|---|---|---|---|
"""


class Setting(NamedTuple):
    """A setting or a section. `variant` is the `type` of the section that has it; None if every type has it."""

    path: str
    variant: str
    schema: Mapping[str, Any]

    @property
    def is_section(self) -> bool:
        return bool(_sections(self.schema))

    @property
    def default(self) -> str:
        if "default" not in self.schema:
            return "none"
        return f"`{json.dumps(self.schema['default'], ensure_ascii=False)}`"


@cache
def text_settings() -> frozenset[str]:
    """The paths of the settings that are text, even if the text looks like a number."""
    return frozenset(each.path for each in all_settings() if each.schema.get("type") == "string")


@cache
def all_settings() -> tuple[Setting, ...]:
    """Sections before what they hold, in the order of their definition."""
    return tuple(_below(json_schema(FactoryConfig), "", ""))


def cdk_json_schema() -> dict[str, Any]:
    """The JSON Schema of `cdk.json`: of the factory's settings only, the rest is the CDK CLI's."""
    factory = FactoryConfig.model_json_schema()
    definitions = factory.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"context": {"type": "object", "properties": {CONTEXT_KEY: _without_titles(factory)}}},
        "$defs": _without_titles(definitions),
    }


def model_yaml_schema() -> dict[str, Any]:
    """The JSON Schema of `model.yaml`; of `factory` the sections that belong to a model."""
    schema = ModelSpec.model_json_schema()
    sections = json_schema(FactoryConfig)["properties"]
    own = {name: sections[name] for name in OF_MODEL}
    triggers = own["triggers"]
    of_model = {name: found for name, found in triggers["properties"].items() if name in OWN_TRIGGERS}
    own["triggers"] = {**triggers, "properties": of_model}
    schema["properties"]["factory"] = {
        "description": f"settings of this model, above those of cdk.json under context.{CONTEXT_KEY}",
        "type": "object",
        "properties": _partial(_without_titles(own)),
        "additionalProperties": False,
    }
    return schema


def reference() -> str:
    """docs/settings.md."""
    return _HEAD + "".join(f"{_row(each)}\n" for each in all_settings())


def _row(setting: Setting) -> str:
    name = f"`{setting.path}`"
    if setting.is_section:
        switch = (
            "`true`, `false`, or the settings below" if "anyOf" in setting.schema else "the settings below"
        )
        return f"| **{name}** | | {switch} | {setting.schema['description']} |"
    variant = f" ({setting.variant})" if setting.variant else ""
    allowed = words(setting.schema).replace("|", "\\|")
    return f"| {name}{variant} | {setting.default} | {allowed} | {setting.schema['description']} |"


def _below(section: Mapping[str, Any], path: str, variant: str) -> Iterator[Setting]:
    for name, schema in section["properties"].items():
        yield Setting(f"{path}{name}", variant, schema)
        sections = _sections(schema)
        for each in sections:
            types = each["properties"].get("type", {})
            names = types.get("enum", [types.get("const", "")]) if len(sections) > 1 else [""]
            yield from _below(each, f"{path}{name}.", ", ".join(names))


def _sections(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "properties" in schema:
        return [schema]
    variants = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    return [each for each in variants if "properties" in each]


def _partial(schema: Any) -> Any:
    """The schema of a section that gives what differs from cdk.json's: nothing is required, not even `type`."""
    if isinstance(schema, list):
        return [_partial(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    # Without its type, a section may fit several variants.
    return {
        "anyOf" if key == "oneOf" else key: _partial(value)
        for key, value in schema.items()
        if key not in ("default", "discriminator", "required")
    }


def _without_titles(schema: Any) -> Any:
    """The schema without titles, which repeat the names; a section that may be `false` may be `true`, its defaults."""
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("const") is False:
        return {"type": "boolean"}
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if key != "title" or isinstance(value, dict)
    }
