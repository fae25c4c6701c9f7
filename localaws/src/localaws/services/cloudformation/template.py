"""CloudFormation templates: reading and intrinsic functions. Pure."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from localaws.core.errors import validation_error
from localaws.services.cloudformation.references import (
    SUBSTITUTION,
    Template,
    attribute_of,
    sub_arguments,
)

MAX_BYTES = 1_000_000
_NO_VALUE = object()


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short tags (!Ref, !GetAtt, …); dates such as 2012-10-17 stay strings."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_tag(loader: Any, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_tag)


def read_template(text: str) -> Template:
    if len(text.encode()) > MAX_BYTES:
        raise validation_error(f"Template may not exceed {MAX_BYTES} bytes in size.")
    try:
        template = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)  # noqa: S506
    except (ValueError, yaml.YAMLError) as error:
        raise validation_error(f"Template format error: {error}") from error
    if not isinstance(template, dict) or not template.get("Resources"):
        raise validation_error("Template format error: At least one Resources member must be defined.")
    return template


@dataclass(frozen=True)
class Resolver:
    """Evaluates intrinsic functions; `attribute` is asked for Fn::GetAtt."""

    template: Template
    values: Mapping[str, Any]  # what Ref returns: parameters, pseudo parameters, physical ids
    attribute: Callable[[str, str], Any]
    exports: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        result = self._resolve(value)
        return None if result is _NO_VALUE else result

    def condition(self, name: str) -> bool:
        conditions = self.template.get("Conditions", {})
        if name not in conditions:
            raise validation_error(f"Template error: unknown condition {name}")
        return self.holds(conditions[name])

    def holds(self, expression: Any) -> bool:
        if isinstance(expression, bool):
            return expression
        (function, argument), *_ = expression.items()
        if function == "Condition":
            return self.condition(argument)
        if function == "Fn::Equals":
            left, right = (_comparable(self._resolve(item)) for item in argument)
            return bool(left == right)
        if function == "Fn::Not":
            return not self.holds(argument[0])
        if function == "Fn::And":
            return all(self.holds(item) for item in argument)
        if function == "Fn::Or":
            return any(self.holds(item) for item in argument)
        if function == "Fn::Contains":
            return _comparable(self._resolve(argument[1])) in map(_comparable, self._resolve(argument[0]))
        raise validation_error(f"The local AWS does not support the condition function {function}")

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._resolve, value) if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {key: self._resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _NO_VALUE}

    def _call(self, name: str, argument: Any) -> Any:
        function = getattr(self, "_" + name.removeprefix("Fn::").lower(), None)
        if name not in FUNCTIONS or function is None:
            raise validation_error(f"The local AWS does not support the intrinsic function {name}")
        return function(argument)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name not in self.values:
            raise validation_error(f"Template format error: Unresolved resource dependencies [{name}]")
        return self.values[name]

    def _getatt(self, argument: Any) -> Any:
        logical_id, name = attribute_of(argument)
        return self.attribute(logical_id, str(self._resolve(name)))

    def _join(self, argument: Any) -> str:
        separator, items = argument
        return str(separator).join(_text(item) for item in self._resolve(items))

    def _split(self, argument: Any) -> list[str]:
        separator, text = argument
        return str(self._resolve(text)).split(separator)

    def _select(self, argument: Any) -> Any:
        index, items = self._resolve(argument)
        return items[int(index)]

    def _sub(self, argument: Any) -> str:
        text, own = sub_arguments(argument)

        def replacement(match: re.Match[str]) -> str:
            name = match.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return _text(self._resolve(own[name]))
            return _text(self._getatt(name) if "." in name else self._ref(name))

        return SUBSTITUTION.sub(replacement, text)

    def _if(self, argument: Any) -> Any:
        condition, if_true, if_false = argument
        return self._resolve(if_true if self.condition(condition) else if_false)

    def _findinmap(self, argument: Any) -> Any:
        name, top, second = self._resolve(argument[:3])
        try:
            return self.template["Mappings"][name][top][second]
        except KeyError as error:
            raise validation_error(
                f"Template error: Unable to get mapping for {name}::{top}::{second}"
            ) from error

    def _base64(self, argument: Any) -> str:
        return base64.b64encode(str(self._resolve(argument)).encode()).decode()

    def _tojsonstring(self, argument: Any) -> str:
        return json.dumps(self._resolve(argument), separators=(",", ":"))

    def _getazs(self, argument: Any) -> list[str]:
        region = self._resolve(argument) or self.values["AWS::Region"]
        return [f"{region}{zone}" for zone in "abc"]

    def _importvalue(self, argument: Any) -> str:
        name = self._resolve(argument)
        if name not in self.exports:
            raise validation_error(f"No export named {name} found.")
        return self.exports[name]


FUNCTIONS = frozenset({"Ref"}) | {
    f"Fn::{name}"
    for name in (
        *("GetAtt", "Join", "Split", "Select", "Sub", "If", "FindInMap"),
        *("Base64", "ToJsonString", "GetAZs", "ImportValue"),
    )
}


def check_rules(template: Template, resolver: Resolver) -> None:
    for name, rule in template.get("Rules", {}).items():
        if "RuleCondition" in rule and not resolver.holds(rule["RuleCondition"]):
            continue
        for assertion in rule["Assertions"]:
            if not resolver.holds(assertion["Assert"]):
                text = assertion.get("AssertDescription", json.dumps(assertion["Assert"]))
                raise validation_error(f"Template validation error: rule {name}: {text}")


def _comparable(value: Any) -> Any:
    return _text(value) if isinstance(value, bool | int | float) else value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
