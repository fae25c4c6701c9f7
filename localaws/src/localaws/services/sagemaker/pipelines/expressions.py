"""The expressions of a definition: references and conditions. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.core.errors import Json

LIST_KEYS = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")


PATH_PART = re.compile(r"\.?([A-Za-z0-9_-]+)|\[(\d+)\]|\[['\"](.*?)['\"]\]")


class DefinitionError(ValueError):
    """A definition that SageMaker refuses, or a value that a step's arguments cannot be made of."""


@dataclass(frozen=True)
class Scope:
    """The values of references in a step's arguments while an execution runs."""

    parameters: Mapping[str, Any]
    execution: Mapping[str, Any]
    properties: Callable[[str], Json] = field(repr=False)  # step → the Describe response of its job
    property_file: Callable[[str, str], Any] = field(repr=False)  # step, property file → its JSON


def evaluate(expression: Any, scope: Scope) -> Any:
    """The expression with every reference in it replaced by its value."""
    if isinstance(expression, list):
        return [evaluate(item, scope) for item in expression]
    if not isinstance(expression, dict):
        return expression
    match list(expression.items()):
        case [("Get", str() as path)]:
            return _get(path, scope)
        case [("Std:Join", {"On": on, "Values": values})]:
            return str(on).join(_text(evaluate(value, scope)) for value in values)
        case [("Std:JsonGet", {"PropertyFile": {"Get": str() as source}, "Path": path})]:
            _, step, _, name = source.split(".", 3)
            return follow(scope.property_file(step, name), str(path), f"{source}:{path}")
    return {key: evaluate(value, scope) for key, value in expression.items()}


def holds(condition: Json, scope: Scope) -> bool:
    """Whether one condition of a Condition step is true."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Expression"], scope)
    if kind == "Or":
        return any(holds(item, scope) for item in condition["Conditions"])
    if kind == "In":
        return evaluate(condition["QueryValue"], scope) in evaluate(condition["Values"], scope)
    left, right = evaluate(condition["LeftValue"], scope), evaluate(condition["RightValue"], scope)
    if kind == "Equals":
        return bool(left == right)
    for value in (left, right):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DefinitionError(f"Condition {kind} compares numbers, got {value!r}.")
    return ORDERINGS[kind](left, right)


def follow(value: Any, path: str, shown: str) -> Any:
    """The value at a path such as Outputs['train'].S3Output.S3Uri; `shown` names it in errors."""
    for part in _parts(path):
        found = _member(value, part)
        if found is None:
            raise DefinitionError(f"Could not resolve {shown}: there is no {part!r} in {_shape(value)}.")
        value = found
    return value


def references(expression: Any) -> Iterator[str]:
    """Every path that a Get in the expression names."""
    if isinstance(expression, list):
        for item in expression:
            yield from references(item)
    elif isinstance(expression, dict):
        if list(expression) == ["Get"] and isinstance(expression["Get"], str):
            yield expression["Get"]
        else:
            yield from references(list(expression.values()))


def _get(path: str, scope: Scope) -> Any:
    root, _, rest = path.partition(".")
    if root == "Parameters":
        return scope.parameters[rest]
    if root == "Execution":
        return scope.execution[rest]
    step, _, property_path = rest.partition(".")
    return follow(scope.properties(step), property_path, path)


def _parts(path: str) -> Iterator[str | int]:
    position = 0
    while position < len(path):
        matched = PATH_PART.match(path, position)
        if matched is None:
            raise DefinitionError(f"{path!r} is not a property path.")
        name, index, key = matched.groups()
        yield int(index) if index is not None else (name if name is not None else key)
        position = matched.end()


def _member(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(str(part))
    if isinstance(value, list):
        if isinstance(part, int):
            return value[part] if part < len(value) else None
        return next(
            (item for item in value if isinstance(item, dict) and part in map(item.get, LIST_KEYS)), None
        )
    return None


def _shape(value: Any) -> str:
    return f"[{', '.join(sorted(value))}]" if isinstance(value, dict) else type(value).__name__


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": lambda left, right: left > right,
    "GreaterThanOrEqualTo": lambda left, right: left >= right,
    "LessThan": lambda left, right: left < right,
    "LessThanOrEqualTo": lambda left, right: left <= right,
}
