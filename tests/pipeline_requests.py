"""A pipeline definition held against what SageMaker takes and answers, as botocore knows it."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

REQUESTS = {
    "Processing": ("CreateProcessingJob", "ProcessingJobName"),
    "Tuning": ("CreateHyperParameterTuningJob", "HyperParameterTuningJobName"),
}
OUTPUTS = {
    "Processing": ("DescribeProcessingJob",),
    "Tuning": ("DescribeHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob"),
}


@cache
def _sagemaker() -> ServiceModel:
    return botocore.session.get_session().get_service_model("sagemaker")


def _shape(operation: str, which: str) -> Any:
    return getattr(_sagemaker().operation_model(operation), which)


def all_steps(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Those in the gate's branches too, by name."""
    gates = [step["Arguments"] for step in definition["Steps"] if step["Type"] == "Condition"]
    branches = [step for gate in gates for step in gate["IfSteps"] + gate["ElseSteps"]]
    return {step["Name"]: step for step in [*definition["Steps"], *branches]}


def invalid_requests(definition: dict[str, Any]) -> list[str]:
    found = []
    jobs = [step for step in all_steps(definition).values() if step["Type"] in REQUESTS]
    assert jobs
    for step in jobs:
        operation, job_name = REQUESTS[step["Type"]]
        request = {**_placeholders(step["Arguments"]), job_name: "job"}
        errors = ParamValidator().validate(request, _shape(operation, "input_shape"))
        if errors.has_errors():
            found.append(f"{step['Name']}: {errors.generate_report()}")
    return found


def dangling_references(definition: dict[str, Any]) -> list[str]:
    """References to what a step's job does not tell."""
    steps = all_steps(definition)
    found = [text for text in references(list(steps.values())) if text.startswith("Steps.")]
    assert found
    return [reference for reference in found if not _is_told(steps, reference)]


def _is_told(steps: dict[str, dict[str, Any]], reference: str) -> bool:
    _, name, path = reference.split(".", 2)
    if path.startswith("PropertyFiles."):
        files = [file["PropertyFileName"] for file in steps[name]["PropertyFiles"]]
        return path.removeprefix("PropertyFiles.") in files
    shapes = [_shape(operation, "output_shape") for operation in OUTPUTS[steps[name]["Type"]]]
    return any(_reaches(shape, path) for shape in shapes)


def _placeholders(value: Any) -> Any:
    """The request as at run time, with some text for each pipeline variable."""
    if isinstance(value, list):
        return [_placeholders(part) for part in value]
    if isinstance(value, dict):
        if set(value) <= {"Get", "Std:Join", "Std:JsonGet"} and value:
            return "s3://placeholder"
        return {key: _placeholders(part) for key, part in value.items()}
    return value


def references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from references(part)
    elif isinstance(value, dict):
        if set(value) == {"Get"}:
            yield value["Get"]
        for part in value.values():
            yield from references(part)


def _reaches(shape: Any, path: str) -> bool:
    """`Outputs['train'].S3Output` goes through a list of structures, as SageMaker reads it."""
    for part in path.replace("[", ".[").split("."):
        if part.startswith("["):
            if shape.type_name != "list":
                return False
            shape = shape.member
        elif shape.type_name != "structure" or part not in shape.members:
            return False
        else:
            shape = shape.members[part]
    return True
