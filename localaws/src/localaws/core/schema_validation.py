"""Checks properties by a schema of CloudFormation's registry, and converts scalars as CloudFormation does.

The words are those of CloudFormation's own validator (aws-cloudformation/cloudformation-resource-schema): it tells
lengths and types, and of patterns, enumerations and ranges only the keyword, as they might show a secret.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from localaws.core.errors import Json

_JSON_TYPES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_TYPE_NAMES = {
    "object": "JSONObject",
    "array": "JSONArray",
    "string": "String",
    "boolean": "Boolean",
    "integer": "Integer",
    "number": "Number",
    "null": "Null",
}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_INTEGER = re.compile(r"-?\d+(\.0+)?")
DYNAMIC_REFERENCE = "{{resolve:"


def conform(schema: Json, value: Any) -> tuple[Any, list[str]]:
    """The value in the schema's types, and every violation with the path to it."""
    check = _Check(schema)
    return check.visit(schema, value, "#"), check.violations


class _Check:
    def __init__(self, root: Json) -> None:
        self._root = root
        self.violations: list[str] = []

    def visit(self, schema: Json, value: Any, path: str) -> Any:
        if "$ref" in schema:
            rest = {key: part for key, part in schema.items() if key != "$ref"}
            schema = {**self._definition(schema["$ref"]), **rest}
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if types:
            fits, value = _as_type(value, types)
            if not fits:
                self._fail(path, _type_message(value, types))
                return value
        if isinstance(value, dict):
            value = self._object(schema, value, path)
        elif isinstance(value, list):
            value = self._array(schema, value, path)
        else:
            self._scalar(schema, value, path)
        self._combined(schema, value, path)
        return value

    def _object(self, schema: Json, value: Json, path: str) -> Json:
        known = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        others = schema.get("additionalProperties", True)
        result = {}
        for key, item in value.items():
            found = known.get(key) or next(
                (part for pattern, part in patterns.items() if _matches(pattern, key)), None
            )
            if found is not None:
                result[key] = self.visit(found, item, f"{path}/{key}")
            elif isinstance(others, dict):
                result[key] = self.visit(others, item, f"{path}/{key}")
            else:
                result[key] = item
                if others is False and (known or patterns):
                    self._fail(path, f"extraneous key [{key}] is not permitted")
        for problem in _missing(schema, result):
            self._fail(path, f"required key [{problem}] not found")
        for problem in _excluded(schema, result):
            self._fail(path, f"extraneous key [{problem}] is not permitted")
        if len(result) < schema.get("minProperties", 0):
            self._fail(path, f"minimum size: [{schema['minProperties']}], found: [{len(result)}]")
        if len(result) > schema.get("maxProperties", len(result)):
            self._fail(path, f"maximum size: [{schema['maxProperties']}], found: [{len(result)}]")
        return result

    def _array(self, schema: Json, value: list[Any], path: str) -> list[Any]:
        items = schema.get("items", {})
        result = [self.visit(items, item, f"{path}/{number}") for number, item in enumerate(value)]
        if len(result) < schema.get("minItems", 0):
            self._fail(path, f"expected minimum item count: {schema['minItems']}, found: {len(result)}")
        if len(result) > schema.get("maxItems", len(result)):
            self._fail(path, f"expected maximum item count: {schema['maxItems']}, found: {len(result)}")
        if schema.get("uniqueItems") and any(item in result[:number] for number, item in enumerate(result)):
            self._fail(path, "array items are not unique")
        return result

    def _scalar(self, schema: Json, value: Any, path: str) -> None:
        if isinstance(value, str):
            if DYNAMIC_REFERENCE in value:
                return
            if len(value) < schema.get("minLength", 0):
                self._fail(path, f"expected minLength: {schema['minLength']}, actual: {len(value)}")
            if len(value) > schema.get("maxLength", len(value)):
                self._fail(path, f"expected maxLength: {schema['maxLength']}, actual: {len(value)}")
        for keyword, holds in _KEYWORDS.items():
            if keyword in schema and not holds(schema[keyword], value):
                self._fail(path, f"failed validation constraint for keyword [{keyword}]")

    def _combined(self, schema: Json, value: Any, path: str) -> None:
        for keyword in ("allOf", "anyOf", "oneOf"):
            parts = schema.get(keyword, [])
            found = [self._violations(part, value, path) for part in parts]
            matches = found.count([])
            if keyword == "allOf" and matches < len(parts):
                self._fail(path, f"only {matches} subschema matches out of {len(parts)}")
            elif keyword == "anyOf" and parts and not matches:
                self._fail(path, f"no subschema matched out of the total {len(parts)} subschemas")
            elif keyword == "oneOf" and parts and matches != 1:
                self._fail(path, f"{matches} subschemas matched instead of one")
            else:
                continue
            self.violations += dict.fromkeys(problem for problems in found for problem in problems)

    def _violations(self, schema: Json, value: Any, path: str) -> list[str]:
        check = _Check(self._root)
        check.visit(schema, value, path)
        return check.violations

    def _definition(self, reference: str) -> Json:
        found: Any = self._root
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        if "$ref" in found:
            return self._definition(found["$ref"])
        definition: Json = found
        return definition

    def _fail(self, path: str, message: str) -> None:
        self.violations.append(f"{path}: {message}")


def _as_type(value: Any, types: list[str]) -> tuple[bool, Any]:
    """Whether the value is of one of the types, or may stand for it: "5" for 5, "true" for true, 5 for "5"."""
    actual = _JSON_TYPES[type(value)]
    if actual in types or (actual == "integer" and "number" in types):
        return True, value
    if isinstance(value, str):
        if "boolean" in types and value.lower() in ("true", "false"):
            return True, value.lower() == "true"
        if "integer" in types and _INTEGER.fullmatch(value):
            return True, int(float(value))
        if "number" in types and _NUMBER.fullmatch(value):
            return True, float(value)
        if DYNAMIC_REFERENCE in value:
            return True, value
    elif isinstance(value, float) and "integer" in types and value.is_integer():
        return True, int(value)
    elif "string" in types and actual in ("boolean", "integer", "number"):
        return True, str(value).lower() if isinstance(value, bool) else str(value)
    return False, value


def _type_message(value: Any, types: list[str]) -> str:
    if len(types) > 1:
        return f"no subschema matched out of the total {len(types)} subschemas"
    return f"expected type: {_TYPE_NAMES[types[0]]}, found: {_TYPE_NAMES[_JSON_TYPES[type(value)]]}"


def _missing(schema: Json, value: Json) -> list[str]:
    missing = [key for key in schema.get("required", []) if key not in value]
    for rule in ("dependencies", "dependentRequired"):
        for key, needed in schema.get(rule, {}).items():
            if key in value and isinstance(needed, list):
                missing += [name for name in needed if name not in value]
    for rule in ("requiredXor", "requiredOr"):
        for group in _groups(schema.get(rule, [])):
            if not any(key in value for key in group):
                missing.append(" or ".join(group))
    return missing


def _excluded(schema: Json, value: Json) -> list[str]:
    excluded = []
    for key, others in schema.get("dependentExcluded", {}).items():
        if key in value:
            excluded += [other for other in others if other in value and other not in excluded]
    for group in _groups(schema.get("requiredXor", [])):
        excluded += [key for key in group if key in value][1:]
    return excluded


def _groups(rule: list[Any]) -> list[list[str]]:
    return rule if rule and isinstance(rule[0], list) else [rule] if rule else []


@cache
def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except re.error:  # a construct of another language's expressions
        return None


def _matches(pattern: str, value: str) -> bool:
    compiled = _pattern(pattern)
    return compiled is None or compiled.search(value) is not None


_KEYWORDS: dict[str, Callable[[Any, Any], bool]] = {
    "pattern": lambda pattern, value: not isinstance(value, str) or _matches(pattern, value),
    "enum": lambda allowed, value: value in allowed or str(value) in map(str, allowed),
    "enumCaseInsensitive": lambda allowed, value: str(value).lower() in [str(one).lower() for one in allowed],
    "const": lambda only, value: value == only,
    # As JSON schema has it, these say nothing of a string: some types have "minimum" for its length.
    "minimum": lambda least, value: isinstance(value, str) or value >= least,
    "maximum": lambda most, value: isinstance(value, str) or value <= most,
    "exclusiveMinimum": lambda least, value: isinstance(value, str) or value > least,
    "exclusiveMaximum": lambda most, value: isinstance(value, str) or value < most,
    "multipleOf": lambda unit, value: isinstance(value, str) or value % unit == 0,
}
