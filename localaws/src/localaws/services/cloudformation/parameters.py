"""The values of a template's parameters. Pure."""

import re
from collections.abc import Callable, Mapping

from localaws.core.errors import Json, validation_error


def resolve_parameters(
    declared: Mapping[str, Json], given: Mapping[str, str], read_ssm: Callable[[str], str]
) -> Json:
    """The values of all parameters: given or default, of the type that the template declares."""
    if unknown := sorted(given.keys() - declared.keys()):
        raise validation_error(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = sorted(name for name, spec in declared.items() if name not in given and "Default" not in spec)
    if missing:
        raise validation_error(f"Parameters: [{', '.join(missing)}] must have values")
    values: Json = {}
    for name, spec in declared.items():
        text = str(given.get(name, spec.get("Default")))
        kind = spec["Type"]
        is_list = kind == "CommaDelimitedList" or "List<" in kind
        for item in text.split(",") if is_list else [text]:
            _check(name, spec, item.strip())
        if kind.startswith("AWS::SSM::Parameter::Value"):
            text = read_ssm(text)
        values[name] = [item.strip() for item in text.split(",")] if is_list else text
    return values


def _check(name: str, spec: Json, text: str) -> None:
    allowed = spec.get("AllowedValues")
    if allowed is not None and text not in map(str, allowed):
        raise _refused(name, spec, f"must be one of AllowedValues [{', '.join(map(str, allowed))}]")
    pattern = spec.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, text):
        raise _refused(name, spec, f"must match pattern {pattern}")
    if len(text) < int(spec.get("MinLength", 0)):
        raise _refused(name, spec, f"must contain at least {spec['MinLength']} characters")
    if len(text) > int(spec.get("MaxLength", len(text))):
        raise _refused(name, spec, f"must contain at most {spec['MaxLength']} characters")
    if spec["Type"] in ("Number", "List<Number>"):
        _check_number(name, spec, text)


def _check_number(name: str, spec: Json, text: str) -> None:
    try:
        number = float(text)
    except ValueError as error:
        raise _refused(name, spec, "must be a number") from error
    if number < float(spec.get("MinValue", number)):
        raise _refused(name, spec, f"must be a number not less than {spec['MinValue']}")
    if number > float(spec.get("MaxValue", number)):
        raise _refused(name, spec, f"must be a number not greater than {spec['MaxValue']}")


def _refused(name: str, spec: Json, reason: str) -> Exception:
    return validation_error(f"Parameter '{name}' {spec.get('ConstraintDescription', reason)}")
