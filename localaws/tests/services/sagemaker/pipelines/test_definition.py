"""Evaluation of pipeline definitions: pure, a table for each kind of expression."""

import json
from datetime import timedelta
from typing import Any

import pytest

from localaws.services.sagemaker.pipelines.definition import bind_parameters, duration, parse
from localaws.services.sagemaker.pipelines.expressions import DefinitionError, Scope, evaluate, holds

PROPERTIES: dict[str, Any] = {
    "Train": {
        "TrainingJobName": "job-1",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"},
        "FinalMetricDataList": [{"MetricName": "auc", "Value": 0.9}],
        "HyperParameters": {"depth": "3"},
    },
    "Split": {
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}},
                {"OutputName": "test", "S3Output": {"S3Uri": "s3://b/test"}},
            ]
        }
    },
}
FILES = {("Evaluate", "Report"): {"metrics": {"accuracy": {"value": 0.97}}, "classes": ["a", "b"]}}
SCOPE = Scope(
    parameters={"Depth": 3, "Name": "digits", "Rate": 0.5, "Flag": True},
    execution={"PipelineExecutionId": "abc"},
    properties=PROPERTIES.__getitem__,
    property_file=lambda step, name: FILES[step, name],
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Get": "Parameters.Depth"}, 3),
        ({"Get": "Execution.PipelineExecutionId"}, "abc"),
        ({"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}, "s3://b/model.tar.gz"),
        ({"Get": "Steps.Split.ProcessingOutputConfig.Outputs['test'].S3Output.S3Uri"}, "s3://b/test"),
        ({"Get": "Steps.Split.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"}, "s3://b/train"),
        ({"Get": "Steps.Train.FinalMetricDataList['auc'].Value"}, 0.9),
        ({"Get": "Steps.Train.HyperParameters['depth']"}, "3"),
        ({"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Parameters.Name"}, 7]}}, "s3://digits/7"),
        ({"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Flag"}]}}, "true"),
        ({"Std:Join": {"On": "-", "Values": [{"Std:Join": {"On": ".", "Values": ["a", "b"]}}, "c"]}}, "a.b-c"),
        (
            {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"},
                             "Path": "metrics.accuracy.value"}},
            0.97,
        ),
        (
            {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"},
                             "Path": "classes[1]"}},
            "b",
        ),
        ({"Environment": {"A": {"Get": "Parameters.Name"}}, "List": [{"Get": "Parameters.Depth"}]},
         {"Environment": {"A": "digits"}, "List": [3]}),
    ],
)  # fmt: skip
def test_evaluate(expression: Any, value: Any) -> None:
    assert evaluate(expression, SCOPE) == value


def test_evaluate_names_the_path_that_does_not_exist() -> None:
    with pytest.raises(DefinitionError, match=r"Steps\.Train\.Nope.*there is no 'Nope'"):
        evaluate({"Get": "Steps.Train.Nope"}, SCOPE)


@pytest.mark.parametrize(
    ("kind", "left", "right", "value"),
    [
        ("Equals", 1, 1, True),
        ("Equals", "a", "b", False),
        ("GreaterThan", 1, 1, False),
        ("GreaterThanOrEqualTo", 1, 1.0, True),
        ("LessThan", 0.5, 1, True),
        ("LessThanOrEqualTo", 2, 1, False),
    ],
)
def test_comparisons(kind: str, left: Any, right: Any, value: bool) -> None:
    assert holds({"Type": kind, "LeftValue": left, "RightValue": right}, SCOPE) is value


def test_nested_conditions() -> None:
    within = {"Type": "In", "QueryValue": {"Get": "Parameters.Name"}, "Values": ["digits", "wine"]}
    assert holds(within, SCOPE)
    assert not holds({"Type": "Not", "Expression": within}, SCOPE)
    assert holds({"Type": "Or", "Conditions": [{"Type": "Not", "Expression": within}, within]}, SCOPE)


def test_comparison_of_text_is_refused() -> None:
    with pytest.raises(DefinitionError, match="compares numbers, got 'a'"):
        holds({"Type": "LessThan", "LeftValue": "a", "RightValue": 1}, SCOPE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("P30D", timedelta(days=30)),
        ("PT1H", timedelta(hours=1)),
        ("P1DT2H30M", timedelta(days=1, hours=2, minutes=30)),
        ("P2W", timedelta(weeks=2)),
        ("P1M", timedelta(days=30)),
        ("P1Y", timedelta(days=365)),
    ],
)
def test_durations(text: str, value: timedelta) -> None:
    assert duration(text) == value


@pytest.mark.parametrize("text", ["30d", "P", "", "1D"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(DefinitionError, match="ISO 8601"):
        duration(text)


def test_parameters() -> None:
    definition = parse(
        document(
            parameters=[
                {"Name": "Depth", "Type": "Integer", "DefaultValue": 2},
                {"Name": "Rate", "Type": "Float", "DefaultValue": 1},
                {"Name": "Flag", "Type": "Boolean", "DefaultValue": False},
                {"Name": "Code", "Type": "String"},
                {"Name": "Size", "Type": "String", "DefaultValue": "s", "EnumValues": ["s", "m"]},
            ]
        )
    )
    values = bind_parameters(definition, {"Code": "c", "Depth": "5", "Rate": "0.5", "Flag": "true"})
    assert values == {"Depth": 5, "Rate": 0.5, "Flag": True, "Code": "c", "Size": "s"}
    for given, message in (
        ({}, r"Parameter \[Code\] value is not provided"),
        ({"Code": "c", "Depth": "deep"}, r"\[Depth\] value 'deep' is not of type Integer"),
        ({"Code": "c", "Dept": "5"}, "Unknown parameters: Dept"),
        ({"Code": "c", "Size": "xl"}, "must be one of: s, m"),
    ):
        with pytest.raises(DefinitionError, match=message):
            bind_parameters(definition, given)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"Name": "A", "Type": "Lambda", "Arguments": {}}], "does not support step type 'Lambda'"),
        ([{"Name": "A", "Type": "Fail", "Arguments": {}, "DependsOn": ["B"]}], "depends on 'B', which is not"),
        ([{"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.X"}}}],
         "refers to 'Parameters.X', which does not exist"),
        ([{"Name": "A", "Type": "Fail", "Arguments": {}}, {"Name": "A", "Type": "Fail", "Arguments": {}}],
         "'A' more than once"),
        ([{"Name": "A", "Type": "Processing", "Arguments": {"X": {"Get": "Steps.B.Y"}}},
          {"Name": "B", "Type": "Processing", "Arguments": {"X": {"Get": "Steps.A.Y"}}}],
         "in a circle: A, B"),
        ([{"Name": "A", "Type": "Fail", "Arguments": {}, "RetryPolicies": [{"MaxAttempts": 2}]}],
         "does not support RetryPolicies"),
        ([], "at least one step"),
    ],
)  # fmt: skip
def test_definitions_that_are_refused(steps: list[Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        parse(document(steps=steps))


def test_order_comes_from_data_as_well() -> None:
    train = {"Name": "Train", "Type": "Training", "Arguments": {"X": {"Get": "Steps.Split.A['x'].B"}}}
    split = {"Name": "Split", "Type": "Processing", "Arguments": {}}
    gate = {
        "Name": "Gate",
        "Type": "Condition",
        "DependsOn": ["Split"],
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": {"Get": "Steps.Train.X"}, "RightValue": 1}],
            "IfSteps": [{"Name": "Good", "Type": "Processing", "Arguments": {}}],
            "ElseSteps": [{"Name": "Bad", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}],
        },
    }
    steps = parse(document(steps=[train, split, gate])).steps
    assert steps["Train"].dependencies == {"Split"}
    assert steps["Gate"].dependencies == {"Split", "Train"}
    assert steps["Good"].branch == ("Gate", True)
    assert steps["Bad"].branch == ("Gate", False)


def document(*, parameters: list[Any] | None = None, steps: list[Any] | None = None) -> str:
    default_steps = [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "end"}}]
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": parameters or [],
            "Steps": default_steps if steps is None else steps,
        }
    )
