"""References between the parts of a template, and the order of resources that follows. Pure."""

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from localaws.core.errors import Json, validation_error

Template = dict[str, Any]
SUBSTITUTION = re.compile(r"\$\{([^}]*)\}")


def references(value: Any) -> Iterator[str]:
    """The names that Ref, Fn::GetAtt and Fn::Sub mention."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if set(value) == {"Ref"}:
            yield value["Ref"]
        elif set(value) == {"Fn::GetAtt"}:
            yield attribute_of(value["Fn::GetAtt"])[0]
        elif set(value) == {"Fn::Sub"}:
            text, own = sub_arguments(value["Fn::Sub"])
            yield from references(own)
            for name in SUBSTITUTION.findall(text):
                if not name.startswith("!") and name not in own:
                    yield name.partition(".")[0]
        else:
            for item in value.values():
                yield from references(item)


def attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """The resources and attributes that Fn::GetAtt and Fn::Sub mention."""
    if isinstance(value, list):
        for item in value:
            yield from attributes(item)
    elif isinstance(value, dict):
        if set(value) == {"Fn::GetAtt"}:
            yield attribute_of(value["Fn::GetAtt"])
        elif set(value) == {"Fn::Sub"}:
            text, own = sub_arguments(value["Fn::Sub"])
            yield from attributes(own)
            for name in SUBSTITUTION.findall(text):
                if "." in name and not name.startswith("!") and name not in own:
                    yield attribute_of(name)
        else:
            for item in value.values():
                yield from attributes(item)


def conditions(definitions: dict[str, Json]) -> Iterator[str]:
    """The conditions that resources or outputs name, themselves or in Fn::If."""
    for definition in definitions.values():
        if "Condition" in definition:
            yield definition["Condition"]
        yield from _choices(definition)


def _choices(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _choices(item)
    elif isinstance(value, dict):
        if set(value) == {"Fn::If"}:
            yield value["Fn::If"][0]
        for item in value.values():
            yield from _choices(item)


def dependencies(template: Template, logical_id: str) -> set[str]:
    resource = template["Resources"][logical_id]
    explicit = resource.get("DependsOn", [])
    names: set[str] = {explicit} if isinstance(explicit, str) else set(explicit)
    named: set[str] = set(references(resource.get("Properties", {}))) & set(template["Resources"])
    return names | named


def in_dependency_order(template: Template) -> list[str]:
    sorter = TopologicalSorter({name: dependencies(template, name) for name in template["Resources"]})
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise validation_error(f"Circular dependency between resources: {error.args[1]}") from error


def attribute_of(argument: Any) -> tuple[str, Any]:
    if isinstance(argument, str):
        logical_id, _, name = argument.partition(".")
        return logical_id, name
    return argument[0], argument[1] if len(argument) == 2 else ".".join(argument[1:])


def sub_arguments(argument: Any) -> tuple[str, Json]:
    return (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])
