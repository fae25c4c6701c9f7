import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.model import Shape
from botocore.validate import ParamValidator

from ml_code.pipeline import PipelineSettings, pipeline_definition, scikit_learn_image_uri
from ml_code.spec import ModelSpec

REQUESTS = {
    "Processing": ("CreateProcessingJob", "ProcessingJobName"),
    "Tuning": ("CreateHyperParameterTuningJob", "HyperParameterTuningJobName"),
}
OUTPUTS = {
    "Processing": ("DescribeProcessingJob",),
    "Tuning": ("DescribeHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob"),
}
SETTINGS = PipelineSettings(
    pipeline_name="model-factory",
    region="eu-central-1",
    role_arn="${Token[ExecutionRole.Arn.1]}",
    artifact_bucket="${Token[TOKEN.2]}",
    mlflow_tracking_uri="${Token[TOKEN.3]}",
    image_uri="1.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
)


@pytest.fixture(scope="module")
def definition(spec: ModelSpec) -> dict[str, Any]:
    return dict(json.loads(pipeline_definition(spec, SETTINGS)))


@pytest.fixture(scope="module")
def steps(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    gate = next(step for step in definition["Steps"] if step["Name"] == "Gate")
    branches = gate["Arguments"]["IfSteps"] + gate["Arguments"]["ElseSteps"]
    return {step["Name"]: step for step in [*definition["Steps"], *branches]}


def test_the_definition_depends_on_its_arguments_only(
    spec: ModelSpec, definition: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    assert json.loads(pipeline_definition(spec, SETTINGS)) == definition
    assert dict(os.environ) == before


def test_steps_parameters_and_branches(definition: dict[str, Any], steps: dict[str, Any]) -> None:
    assert [step["Name"] for step in definition["Steps"]] == ["Preprocess", "Tune", "Evaluate", "Gate"]
    assert set(steps) == {"Preprocess", "Tune", "Evaluate", "Gate", "Register", "GateFailed"}
    assert definition["Parameters"] == [
        {"Name": "CodeUri", "Type": "String"},
        {"Name": "DataUri", "Type": "String"},
        {"Name": "DataVersion", "Type": "String"},
        {"Name": "CommitId", "Type": "String"},
        {"Name": "TriggerReason", "Type": "String", "DefaultValue": "manual"},
    ]
    assert definition["PipelineExperimentConfig"] is None


def test_each_request_has_the_shape_that_the_service_takes(steps: dict[str, Any]) -> None:
    model = boto3.client("sagemaker", region_name="eu-central-1").meta.service_model
    for step in steps.values():
        if step["Type"] not in REQUESTS:
            continue
        operation, job_name = REQUESTS[step["Type"]]
        request = {**_placeholders(step["Arguments"]), job_name: "job"}
        errors = ParamValidator().validate(request, model.operation_model(operation).input_shape)
        assert not errors.has_errors(), f"{step['Name']}: {errors.generate_report()}"


def test_each_property_reference_is_in_the_service_s_answer(steps: dict[str, Any]) -> None:
    model = boto3.client("sagemaker", region_name="eu-central-1").meta.service_model
    references = [text for text in _references(list(steps.values())) if text.startswith("Steps.")]
    assert "Steps.Evaluate.ExitMessage" in references
    for reference in references:
        _, name, path = reference.split(".", 2)
        if path.startswith("PropertyFiles."):
            files = [file["PropertyFileName"] for file in steps[name]["PropertyFiles"]]
            assert path.removeprefix("PropertyFiles.") in files
            continue
        shapes = [model.operation_model(found).output_shape for found in OUTPUTS[steps[name]["Type"]]]
        assert any(_reaches(shape, path) for shape in shapes), reference


def test_the_tuning_job_is_what_model_yaml_says(spec: ModelSpec, steps: dict[str, Any]) -> None:
    config = steps["Tune"]["Arguments"]["HyperParameterTuningJobConfig"]
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 2}
    assert config["RandomSeed"] == spec.seed
    ranges = config["ParameterRanges"]
    assert {"Name": "alpha", "MinValue": "0.01", "MaxValue": "1.0", "ScalingType": "Logarithmic"} in ranges[
        "ContinuousParameterRanges"
    ]
    static = steps["Tune"]["Arguments"]["TrainingJobDefinition"]["StaticHyperParameters"]
    assert static["sagemaker_program"] == "ml_code/steps/train.py"


def test_the_gate_compares_with_the_threshold_of_model_yaml(spec: ModelSpec, steps: dict[str, Any]) -> None:
    (condition,) = steps["Gate"]["Arguments"]["Conditions"]
    assert condition["RightValue"] == spec.gate.threshold
    assert condition["LeftValue"]["Std:JsonGet"]["Path"] == "metrics.accuracy"
    message = steps["GateFailed"]["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]
    assert message == [{"Get": "Steps.Evaluate.ExitMessage"}, "The gate asks for accuracy >= 0.95."]


def test_tokens_of_the_stack_stay_whole(definition: dict[str, Any], steps: dict[str, Any]) -> None:
    assert steps["Tune"]["Arguments"]["TrainingJobDefinition"]["RoleArn"] == SETTINGS.role_arn
    assert steps["Preprocess"]["Arguments"]["RoleArn"] == SETTINGS.role_arn
    assert "role/replaced" not in json.dumps(definition)


def test_a_region_without_the_image_is_refused() -> None:
    assert scikit_learn_image_uri("eu-central-1").endswith("/sagemaker-scikit-learn:1.9-0-cpu-py3")
    with pytest.raises(ValueError, match="region is 'mars-north-1'; allowed: a region with"):
        scikit_learn_image_uri("mars-north-1")


def _placeholders(value: Any) -> Any:
    """The request as at run time, with some text for each pipeline variable."""
    if isinstance(value, list):
        return [_placeholders(part) for part in value]
    if isinstance(value, dict):
        if set(value) <= {"Get", "Std:Join", "Std:JsonGet"} and value:
            return "s3://placeholder"
        return {key: _placeholders(part) for key, part in value.items()}
    return value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from _references(part)
    elif isinstance(value, dict):
        if set(value) == {"Get"}:
            yield value["Get"]
        for part in value.values():
            yield from _references(part)


def _reaches(shape: Shape, path: str) -> bool:
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
