"""The sentence that refuses a setting: which, its value, what is allowed."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from ml_code.pipeline.compute import ALLOWED

CONTEXT_KEY = "factory"
_OFF = "literal[False]"


_MISSING = object()


class SettingError(ValueError):
    """A user's mistake in the settings; the message is one sentence that needs no stack trace."""

    def __init__(self, setting: str, value: object, allowed: str) -> None:
        path = f"{CONTEXT_KEY}.{setting}" if setting else CONTEXT_KEY
        shown = "missing" if value is _MISSING else repr(value)
        super().__init__(f"Setting {path} is {shown}, allowed is {allowed}.")


def setting_error(error: ValidationError, model: type[BaseModel]) -> SettingError:
    """Return the refusal of the first fault; the others show when it is mended."""
    faults: list[Any] = error.errors(include_url=False)
    # Of a section that may be `false`, the section's own fault says more than "it is not false".
    fault = next((each for each in faults if _OFF not in each["loc"]), faults[0])
    path, owner, below = _place(fault["loc"], model)
    kind, value, context = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == "misfit":
        return SettingError(".".join([*path, context["setting"]]), context["value"], context["allowed"])
    if kind == "extra_forbidden":
        names = ", ".join(below[0].model_fields)
        return SettingError(".".join([*path, str(fault["loc"][-1])]), value, f"{_of(path)}: {names}")
    if kind == "missing":
        return SettingError(".".join(path), _MISSING, words(_schema(owner, path[-1])))
    if kind.startswith("union_tag"):
        variants = _variants(_schema(owner, path[-1]))
        if isinstance(value, Mapping):
            return SettingError(".".join([*path, "type"]), value.get("type"), f"one of {', '.join(variants)}")
        example = json.dumps({"type": value if value in variants else variants[0]})
        return SettingError(".".join(path), value, f"an object of settings such as {example}")
    return SettingError(".".join(path), value, words(_schema(owner, path[-1])))


def json_schema(section: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a section, with each reference replaced by its definition."""
    schema = section.model_json_schema()
    found: dict[str, Any] = _resolved(schema, schema.get("$defs", {}))
    return found


def words(schema: Mapping[str, Any]) -> str:
    """The values that a JSON Schema allows, as a person says them; references are resolved already."""
    if ALLOWED in schema:
        return str(schema[ALLOWED])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            sections = [each for each in schema[kind] if each.get("type") == "object"]
            return f"true, false, or {words(sections[0])}" if kind == "anyOf" else words(sections[0])
    if schema.get("type") == "integer":
        return f"an integer from {schema['minimum']} to {schema['maximum']}"
    if schema.get("type") == "object":
        return f"an object of settings: {', '.join(schema['properties'])}"
    raise NotImplementedError(f"words for the JSON Schema {schema}")


def _schema(section: type[BaseModel], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json_schema(section)["properties"][name]
    return found


def _variants(schema: Mapping[str, Any]) -> list[str]:
    types = [each["properties"]["type"] for each in schema["oneOf"]]
    return [name for found in types for name in found.get("enum", [found.get("const")])]


def _of(path: list[str]) -> str:
    return f"one of the settings of {'.'.join(path)}" if path else "one of these settings"


class _Place(NamedTuple):
    """The place of a fault: the names on the way, the section that defines the last of them, the sections below it."""

    path: list[str]
    owner: type[BaseModel]
    below: list[type[BaseModel]]


def _place(location: tuple[str | int, ...], model: type[BaseModel]) -> _Place:
    """Leave out the marks with which pydantic tells variants apart, and positions in lists."""
    place = _Place([], model, [model])
    for part in location:
        if variants := [each for each in place.below if _is_variant(each, part)]:
            place = place._replace(below=variants)
        elif owner := next((each for each in place.below if part in each.model_fields), None):
            below = list(_sections(owner.model_fields[str(part)].annotation))
            place = _Place([*place.path, str(part)], owner, below)
    return place


def _is_variant(section: type[BaseModel], mark: str | int) -> bool:
    types = section.model_fields.get("type")
    return mark == section.__name__ or (types is not None and mark in get_args(types.annotation))


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _sections(each)


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        found = definitions[schema["$ref"].removeprefix("#/$defs/")]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_resolved(found, definitions), **beside}
    return {key: _resolved(value, definitions) for key, value in schema.items() if key != "$defs"}
