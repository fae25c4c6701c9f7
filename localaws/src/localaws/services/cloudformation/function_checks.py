"""Checks of intrinsic functions' parameters and of mappings. The messages are CloudFormation's."""

from collections.abc import Iterator
from typing import Any

from localaws.core.errors import validation_error
from localaws.services.cloudformation.references import Template
from localaws.services.cloudformation.template import FUNCTIONS

PARAMETERS = {
    "Fn::Join": (
        2,
        (
            "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined "
            "or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
        ),
    ),
    "Fn::Split": (
        2,
        (
            "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a "
            "function that returns a string to be split."
        ),
    ),
    "Fn::Select": (
        2,
        "Fn::Select requires a list argument with two elements: an integer index and a list",
    ),
    "Fn::If": (3, "Fn::If requires a list argument with three parameters"),
    "Fn::FindInMap": (
        3,
        (
            "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return "
            "value"
        ),
    ),
}


def check_functions(template: Template, bodies: list[Any]) -> None:
    mappings = template.get("Mappings", {})
    for name, argument in _functions(bodies):
        if name not in FUNCTIONS:
            raise validation_error(f"The local AWS does not support the intrinsic function {name}")
        if name == "Ref" and not isinstance(argument, str):
            raise validation_error("Template error: every Ref object must have a single String value.")
        if name in PARAMETERS:
            number, message = PARAMETERS[name]
            if not isinstance(argument, list) or len(argument) != number:
                raise validation_error(f"Template error: {message}")
        if name == "Fn::FindInMap" and isinstance(argument[0], str) and argument[0] not in mappings:
            raise validation_error(
                f"Template error: Mapping named '{argument[0]}' is not present in the 'Mappings' section of "
                "template."
            )


def _functions(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _functions(item)
    elif isinstance(value, dict):
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                yield name, argument
        for item in value.values():
            yield from _functions(item)
