"""A pipeline definition, read and evaluated: pure, no AWS call.

The format is the JSON that the SageMaker SDK writes. References are objects with one key: {"Get": path},
{"Std:Join": …}, {"Std:JsonGet": …}.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from localaws.core.errors import Json
from localaws.services.sagemaker.pipelines.expressions import ORDERINGS, DefinitionError, references

STEP_TYPES = ("Processing", "Training", "Tuning", "Condition", "Fail")
PARAMETER_TYPES: dict[str, type] = {"String": str, "Integer": int, "Float": float, "Boolean": bool}
EXECUTION_VARIABLES = (
    "StartDateTime",
    "CurrentDateTime",
    "PipelineArn",
    "PipelineName",
    "PipelineExecutionArn",
    "PipelineExecutionId",
)
STEP_MEMBERS = {
    "Name",
    "Type",
    "Arguments",
    "DependsOn",
    "DisplayName",
    "Description",
    "PropertyFiles",
    "CacheConfig",
    "RetryPolicies",
}
DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    default: Any = None
    enum_values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Step:
    name: str
    type: str
    arguments: Json
    dependencies: frozenset[str]  # explicit, and by reference
    display_name: str = ""
    description: str = ""
    property_files: tuple[Json, ...] = ()
    expire_after: timedelta | None = None  # of the cache; None: no caching
    branch: tuple[str, bool] | None = None  # the condition step it belongs to, and the outcome that runs it


@dataclass(frozen=True)
class Definition:
    parameters: dict[str, Parameter]
    steps: dict[str, Step]


def parse(text: str) -> Definition:
    """Raise DefinitionError with the reason that CreatePipeline gives."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DefinitionError(f"Unable to parse pipeline definition. {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("Steps"), list):
        raise DefinitionError("Unable to parse pipeline definition. It must be an object with 'Steps'.")
    if document.get("Version") != "2020-12-01":
        raise DefinitionError(
            f"Unable to parse pipeline definition. Version must be '2020-12-01', got {document.get('Version')!r}."
        )
    parameters = {item["Name"]: _parameter(item) for item in document.get("Parameters", [])}
    steps: dict[str, Step] = {}
    for step in _steps(document["Steps"], None):
        if step.name in steps:
            raise DefinitionError(f"Step names must be unique, found {step.name!r} more than once.")
        steps[step.name] = step
    if not steps:
        raise DefinitionError("A pipeline definition must have at least one step.")
    definition = Definition(parameters, steps)
    _check_references(definition)
    _check_cycles(steps)
    return definition


def bind_parameters(definition: Definition, given: Mapping[str, str]) -> dict[str, Any]:
    """The value of every parameter; `given` are the texts of StartPipelineExecution."""
    unknown = sorted(given.keys() - definition.parameters.keys())
    if unknown:
        raise DefinitionError(f"Unknown parameters: {', '.join(unknown)}")
    values: dict[str, Any] = {}
    for name, parameter in definition.parameters.items():
        if name in given:
            values[name] = _converted(parameter, given[name])
        elif parameter.default is not None:
            values[name] = parameter.default
        else:
            raise DefinitionError(f"Parameter [{name}] value is not provided, and it has no default value.")
    return values


def duration(text: str) -> timedelta:
    """An ISO 8601 duration; a year counts 365 days and a month 30."""
    matched = DURATION.fullmatch(text)
    if matched is None or not any(matched.groups()):
        raise DefinitionError(f"ExpireAfter must be an ISO 8601 duration such as 'P30D', got {text!r}.")
    years, months, weeks, days, hours, minutes, seconds = (float(group or 0) for group in matched.groups())
    return timedelta(
        days=365 * years + 30 * months + 7 * weeks + days, hours=hours, minutes=minutes, seconds=seconds
    )


def _parameter(item: Json) -> Parameter:
    name, kind = item["Name"], item["Type"]
    if kind not in PARAMETER_TYPES:
        raise DefinitionError(
            f"Parameter {name!r}: Type must be one of {', '.join(PARAMETER_TYPES)}, got {kind!r}."
        )
    parameter = Parameter(name, kind, item.get("DefaultValue"), tuple(item.get("EnumValues", ())))
    if parameter.default is not None and not _fits(parameter.default, kind):
        raise DefinitionError(
            f"Parameter {name!r}: DefaultValue {parameter.default!r} is not of type {kind}."
        )
    _check_enum(parameter, parameter.default)
    return parameter


def _fits(value: Any, kind: str) -> bool:
    if kind == "Float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is PARAMETER_TYPES[kind]


def _converted(parameter: Parameter, text: str) -> Any:
    try:
        match parameter.type:
            case "Integer":
                value: Any = int(text)
            case "Float":
                value = float(text)
            case "Boolean":
                value = {"true": True, "false": False}[text.lower()]
            case _:
                value = text
    except (ValueError, KeyError) as error:
        raise DefinitionError(
            f"Parameter [{parameter.name}] value {text!r} is not of type {parameter.type}."
        ) from error
    _check_enum(parameter, value)
    return value


def _check_enum(parameter: Parameter, value: Any) -> None:
    if parameter.enum_values and value is not None and value not in parameter.enum_values:
        allowed = ", ".join(map(str, parameter.enum_values))
        raise DefinitionError(f"Parameter [{parameter.name}] value {value!r} must be one of: {allowed}.")


def _steps(items: list[Json], branch: tuple[str, bool] | None) -> Iterator[Step]:
    for item in items:
        step = _step(item, branch)
        yield step
        if step.type == "Condition":
            yield from _steps(step.arguments.get("IfSteps", []), (step.name, True))
            yield from _steps(step.arguments.get("ElseSteps", []), (step.name, False))


def _step(item: Json, branch: tuple[str, bool] | None) -> Step:
    name, kind = item.get("Name"), item.get("Type")
    if not name or not kind or not isinstance(item.get("Arguments"), dict):
        raise DefinitionError("Unable to parse pipeline definition. A step needs Name, Type and Arguments.")
    if kind not in STEP_TYPES:
        raise DefinitionError(
            f"The local AWS does not support step type {kind!r} (step {name!r}); "
            f"it supports {', '.join(STEP_TYPES)}."
        )
    unknown = sorted(item.keys() - STEP_MEMBERS)
    if unknown:
        raise DefinitionError(f"The local AWS does not support {', '.join(unknown)} of step {name!r}.")
    if item.get("RetryPolicies"):
        raise DefinitionError(f"The local AWS does not support RetryPolicies (step {name!r}).")
    cache = item.get("CacheConfig", {})
    arguments = item["Arguments"]
    return Step(
        name=name,
        type=kind,
        arguments=arguments,
        dependencies=_dependencies(item),
        display_name=item.get("DisplayName", ""),
        description=item.get("Description", ""),
        property_files=tuple(item.get("PropertyFiles", ())),
        expire_after=_expire_after(cache) if cache.get("Enabled") else None,
        branch=branch,
    )


def _expire_after(cache: Json) -> timedelta:
    return duration(cache["ExpireAfter"]) if "ExpireAfter" in cache else timedelta.max


def _dependencies(item: Json) -> frozenset[str]:
    """DependsOn, and the steps that the step's own arguments or conditions read."""
    arguments = item["Arguments"]
    own = arguments.get("Conditions", []) if item["Type"] == "Condition" else arguments
    read = {path.split(".")[1].split("[")[0] for path in references(own) if path.startswith("Steps.")}
    return frozenset(read | set(item.get("DependsOn", ())))


def _check_references(definition: Definition) -> None:
    for step in definition.steps.values():
        for name in sorted(step.dependencies - definition.steps.keys()):
            raise DefinitionError(f"Step {step.name!r} depends on {name!r}, which is not a step.")
        for path in references(step.arguments):
            root, _, rest = path.partition(".")
            first = rest.split(".")[0].split("[")[0]
            known = {
                "Parameters": definition.parameters,
                "Execution": EXECUTION_VARIABLES,
                "Steps": definition.steps,
            }.get(root, ())
            if first not in known:
                raise DefinitionError(f"Step {step.name!r} refers to {path!r}, which does not exist.")
        for condition in step.arguments.get("Conditions", []) if step.type == "Condition" else []:
            _check_condition(step.name, condition)


def _check_condition(step: str, condition: Json) -> None:
    kind = condition.get("Type")
    nested = {"Not": [condition.get("Expression", {})], "Or": condition.get("Conditions", [])}
    if kind in nested:
        for item in nested[kind]:
            _check_condition(step, item)
    elif kind not in ("Equals", "In", *ORDERINGS):
        raise DefinitionError(f"The local AWS does not support condition type {kind!r} (step {step!r}).")


def _check_cycles(steps: dict[str, Step]) -> None:
    done: set[str] = set()
    while ready := {name for name in steps.keys() - done if _waits_for(steps[name]) <= done}:
        done |= ready
    if left := sorted(steps.keys() - done):
        raise DefinitionError(f"Steps depend on each other in a circle: {', '.join(left)}.")


def _waits_for(step: Step) -> frozenset[str]:
    return step.dependencies | ({step.branch[0]} if step.branch else frozenset())
