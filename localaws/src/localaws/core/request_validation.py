"""Checks of requests against the models that AWS publishes.

botocore's own validator checks names and types; patterns, enumerations and ranges are checked here.

The gateway holds to them what moto answers; services of ours hold to them every request, from wherever it comes.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import regex
from botocore.exceptions import ParamValidationError
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from localaws.core.errors import Json, ServiceError

MISMATCH = "failed to satisfy constraint"
# What a service calls a violation; others say ValidationException, those of the query protocols ValidationError.
CODES = {
    "codebuild": "InvalidInputException",
    "ec2": "InvalidParameterValue",
    "ecr": "InvalidParameterException",
    "logs": "InvalidParameterException",
    "s3": "InvalidArgument",
    "sns": "InvalidParameter",
}
# What the models leave out and the documentation of the service has, by service and shape.
FURTHER: dict[tuple[str, str], Json] = {
    ("cloudformation", "StackName"): {"pattern": "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*"},
    ("cloudwatch", "DashboardName"): {"pattern": "[A-Za-z0-9_-]+", "max": 255},
    ("kms", "PendingWindowInDaysType"): {"min": 7, "max": 30},
    # The model has the larger limits of functions on instances of one's own, which are not supported here.
    ("lambda", "MemorySize"): {"max": 10240},
    ("lambda", "Timeout"): {"max": 900},
}


@cache
def service_model(service_name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service_name)


def validate_request(service_name: str, operation: str, request: Json) -> None:
    """Raise ServiceError when the shape of the operation's input, or one of its constraints, refuses the request."""
    shape = service_model(service_name).operation_model(operation).input_shape
    if shape is None:
        return
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        error = ParamValidationError(report=report.generate_report())
        raise ServiceError("ValidationException", f"{service_name}:{operation}: {error}")
    check_constraints(service_name, operation, request)


def check_constraints(service_name: str, operation: str, request: Json) -> None:
    """Raise ServiceError with the service's own code and AWS's wording for every value out of bounds."""
    shape = service_model(service_name).operation_model(operation).input_shape
    if shape is None:
        return
    violations = list(_violations(service_name, shape, request, ""))
    if violations:
        plural = "s" if len(violations) > 1 else ""
        raise ServiceError(
            _code(service_name),
            f"{len(violations)} validation error{plural} detected: {'; '.join(violations)}",
        )


def _code(service_name: str) -> str:
    protocol = service_model(service_name).metadata["protocol"]
    return CODES.get(service_name, "ValidationError" if protocol == "query" else "ValidationException")


def _violations(service: str, shape: Shape, value: Any, path: str) -> Iterator[str]:
    bounds = {**shape.metadata, **FURTHER.get((service, shape.name), {})}
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            if name in shape.members:
                where = _join(path, name[0].lower() + name[1:])
                yield from _violations(service, shape.members[name], member, where)
    elif isinstance(shape, ListShape):
        yield from _out_of_bounds(bounds, len(value), value, path, "length")
        for number, item in enumerate(value, start=1):
            yield from _violations(service, shape.member, item, _join(path, f"{number}.member"))
    elif isinstance(shape, MapShape):
        yield from _out_of_bounds(bounds, len(value), value, path, "length")
        for key, item in value.items():
            yield from _violations(service, shape.key, key, f"{path}.key")
            yield from _violations(service, shape.value, item, f"{path}.{key}.member")
    elif isinstance(shape, StringShape):
        if shape.enum and value not in shape.enum:
            yield _message(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        pattern = bounds.get("pattern")
        if pattern and (compiled := _compiled(pattern)) and not compiled.fullmatch(value):
            yield _message(value, path, f"Member must satisfy regular expression pattern: {pattern}")
        yield from _out_of_bounds(bounds, len(value), value, path, "length")
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _out_of_bounds(bounds, value, value, path, "value")


def _out_of_bounds(bounds: Json, size: float, value: Any, path: str, what: str) -> Iterator[str]:
    low, high = bounds.get("min"), bounds.get("max")
    if low is not None and size < low:
        yield _message(value, path, f"Member must have {what} greater than or equal to {low}")
    if high is not None and size > high:
        yield _message(value, path, f"Member must have {what} less than or equal to {high}")


@cache
def _compiled(pattern: str) -> Any:
    try:
        return regex.compile(pattern.removeprefix("^").removesuffix("$"), regex.DOTALL)
    except regex.error:  # a handful of models has what is no regular expression
        return None


def _message(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' {MISMATCH}: {constraint}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
