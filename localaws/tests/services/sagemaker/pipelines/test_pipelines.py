"""Pipelines and their executions, as the developer guide describes them."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

BUCKET = "data-for-jobs"
WRITE = "import pathlib, sys; pathlib.Path(sys.argv[1], 'report.json').write_text(sys.argv[2])"
READ = "import pathlib, sys; print(*sorted(p.name for p in pathlib.Path(sys.argv[1]).rglob('*')))"


def test_steps_pass_data_and_the_condition_chooses(local: Any) -> None:
    name = create(local, flow(local))
    good, steps = execute(local, name, {"Accuracy": "0.97"})
    assert good["PipelineExecutionStatus"] == "Succeeded", steps
    assert {step: entry["StepStatus"] for step, entry in steps.items()} == {
        "Measure": "Succeeded",
        "Read": "Succeeded",
        "Gate": "Succeeded",
        "Register": "Succeeded",
    }
    assert steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    arn = steps["Measure"]["Metadata"]["ProcessingJob"]["Arn"]
    assert "/pipelines-" in arn
    assert "-measure-" in arn
    job = local.client().describe_processing_job(ProcessingJobName=arn.rpartition("/")[2])
    assert "-Measure-" in job["ProcessingJobName"]
    assert job["AppSpecification"]["ContainerArguments"][1] == '{"accuracy": {"value": 0.97}}'
    tags = {item["Key"]: item["Value"] for item in local.client().list_tags(ResourceArn=arn)["Tags"]}
    assert tags["sagemaker:pipeline-step-name"] == "Measure"
    arn = steps["Read"]["Metadata"]["ProcessingJob"]["Arn"]
    job = local.client().describe_processing_job(ProcessingJobName=arn.rpartition("/")[2])
    reader = job["ProcessingJobName"]
    assert local.log_lines("/aws/sagemaker/ProcessingJobs", reader) == ["report.json"]

    bad, steps = execute(local, name, {"Accuracy": "0.5"})
    assert bad["PipelineExecutionStatus"] == "Failed"
    assert bad["FailureReason"] == "Step failure: One or multiple steps failed."
    assert steps["TooBad"]["StepStatus"] == "Failed"
    assert steps["TooBad"]["Metadata"] == {"Fail": {"ErrorMessage": "accuracy was 0.5"}}
    assert "Register" not in steps


def test_a_failing_step_ends_the_others(local: Any) -> None:
    broken = local.processing_request("import sys; sys.exit(1)")
    slow = local.processing_request("import time; time.sleep(60)")
    after = local.processing_request("")
    name = create(
        local,
        document([
            step("Broken", broken), step("Slow", slow), step("After", after) | {"DependsOn": ["Broken"]},
        ]),
    )  # fmt: skip
    described, steps = execute(local, name, {})
    assert described["PipelineExecutionStatus"] == "Failed"
    assert steps["Broken"]["FailureReason"] == (
        "ClientError: AlgorithmError: See job logs for more information"
    )
    assert steps["Slow"]["StepStatus"] == "Stopped"
    assert "After" not in steps


def test_independent_steps_run_side_by_side(local: Any) -> None:
    script = "import time; time.sleep(2)"
    names = ("A", "B")
    name = create(local, document([step(item, local.processing_request(script)) for item in names]))
    _, steps = execute(local, name, {})
    assert max(steps[item]["StartTime"] for item in names) < min(steps[item]["EndTime"] for item in names)


def test_cache_is_by_arguments_and_age(local: Any, wait_until: Callable[[Callable[[], bool]], None]) -> None:
    request = local.processing_request("")
    request["AppSpecification"]["ContainerArguments"] = [{"Get": "Parameters.Word"}]
    # Where a result goes is not what it is found by.
    (output,) = request["ProcessingOutputConfig"]["Outputs"]
    output["S3Output"]["S3Uri"] = {
        "Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}", {"Get": "Execution.PipelineExecutionId"}]}
    }
    cached = step("Cached", request) | {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"}}
    definition = document([cached], parameters=[{"Name": "Word", "Type": "String"}])
    name = create(local, definition)
    first, steps = execute(local, name, {"Word": "a"})
    assert "CacheHitResult" not in steps["Cached"]
    job = steps["Cached"]["Metadata"]
    _, steps = execute(local, name, {"Word": "a"})
    assert steps["Cached"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first["PipelineExecutionArn"]}
    assert steps["Cached"]["Metadata"] == job
    _, steps = execute(local, name, {"Word": "b"})
    assert "CacheHitResult" not in steps["Cached"]
    ended = steps["Cached"]["EndTime"]
    cached["CacheConfig"]["ExpireAfter"] = "PT1S"
    local.client().update_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition))
    wait_until(lambda: datetime.now(UTC) > ended + timedelta(seconds=1))
    _, steps = execute(local, name, {"Word": "a"})
    assert "CacheHitResult" not in steps["Cached"]


def test_steps_run_with_the_pipelines_role(
    local: Any, make_role: Callable[[list[dict[str, Any]]], str]
) -> None:
    role = make_role([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])
    name = create(local, document([step("Only", local.processing_request(""))]), role=role)
    _, steps = execute(local, name, {})
    reason = steps["Only"]["FailureReason"]
    assert reason.startswith("ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: ")
    assert "is not authorized to perform: sagemaker:CreateProcessingJob" in reason
    assert role.rpartition("/")[2] in reason


def test_requests_are_validated_before_they_run(local: Any) -> None:
    request = local.processing_request("")
    del request["ProcessingResources"]
    name = create(local, document([step("Wrong", request)]))
    _, steps = execute(local, name, {})
    assert 'Missing required parameter in input: "ProcessingResources"' in steps["Wrong"]["FailureReason"]


def test_an_argument_of_a_container_has_at_most_256_characters(local: Any) -> None:
    request = local.processing_request("")
    request["AppSpecification"]["ContainerArguments"] = [{"Get": "Parameters.Reason"}]
    parameters = [{"Name": "Reason", "Type": "String"}]
    name = create(local, document([step("Only", request)], parameters=parameters))
    _, steps = execute(local, name, {"Reason": "x" * 256})
    assert steps["Only"]["StepStatus"] == "Succeeded"
    _, steps = execute(local, name, {"Reason": "x" * 257})
    assert "Member must have length less than or equal to 256" in steps["Only"]["FailureReason"]


def test_stop(local: Any, wait_until: Callable[[Callable[[], bool]], None]) -> None:
    slow = local.processing_request("import time; time.sleep(60)")
    name = create(local, document([step("Slow", slow)]))
    sagemaker = local.client()
    arn = start(local, name, {})

    def steps() -> list[Any]:
        listed = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
        return list(listed["PipelineExecutionSteps"])

    wait_until(lambda: bool(steps()))
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid.uuid4().hex)
    local.sagemaker.pipelines.execution({"PipelineExecutionArn": arn}).finished.wait(20)
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Stopped"
    assert steps()[0]["StepStatus"] == "Stopped"


def test_describe_and_refusals(local: Any) -> None:
    sagemaker = local.client()
    name = create(local, flow(local))
    described = sagemaker.describe_pipeline(PipelineName=name)
    assert described["PipelineStatus"] == "Active"
    assert described["PipelineArn"].endswith(f":pipeline/{name}")
    with pytest.raises(ClientError, match=f"Pipeline with name \\({name}\\) already exists"):
        create(local, flow(local), name=name)
    with pytest.raises(ClientError, match=r"ResourceNotFound.*Pipeline 'arn:.*/nope' does not exist"):
        sagemaker.describe_pipeline(PipelineName="nope")
    with pytest.raises(ClientError, match=r"Parameter \[Accuracy\] value is not provided"):
        start(local, name, {})
    with pytest.raises(ClientError, match="Unknown parameters: Nope"):
        start(local, name, {"Accuracy": "1", "Nope": "x"})
    with pytest.raises(ClientError, match="does not support step type 'Lambda'"):
        create(local, document([{"Name": "L", "Type": "Lambda", "Arguments": {}}]))
    with pytest.raises(ClientError, match="does not support sagemaker:ListApps"):
        sagemaker.list_apps()
    sagemaker.delete_pipeline(PipelineName=name, ClientRequestToken=uuid.uuid4().hex)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_pipeline(PipelineName=name)


def flow(local: Any) -> dict[str, Any]:
    """Measure writes a report, Read reads it, Gate looks at its number."""
    measure = local.processing_request(WRITE)
    text = ['{"accuracy": {"value": ', {"Get": "Parameters.Accuracy"}, "}}"]
    measure["AppSpecification"]["ContainerArguments"] = [
        "/opt/ml/processing/output/out",
        {"Std:Join": {"On": "", "Values": text}},
    ]
    read = local.processing_request(READ)
    read["AppSpecification"]["ContainerArguments"] = ["/opt/ml/processing/input/in"]
    read["ProcessingInputs"] = [
        {
            "InputName": "in",
            "S3Input": {
                "S3Uri": {"Get": "Steps.Measure.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"},
                "LocalPath": "/opt/ml/processing/input/in",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
    ]
    number = {
        "Std:JsonGet": {
            "PropertyFile": {"Get": "Steps.Measure.PropertyFiles.Report"},
            "Path": "accuracy.value",
        }
    }
    report = {"PropertyFileName": "Report", "OutputName": "out", "FilePath": "report.json"}
    failure = {"ErrorMessage": {"Std:Join": {"On": " ", "Values": ["accuracy was", number]}}}
    gate = {
        "Name": "Gate",
        "Type": "Condition",
        "DependsOn": ["Read"],
        "Arguments": {
            "Conditions": [{"Type": "GreaterThanOrEqualTo", "LeftValue": number, "RightValue": 0.95}],
            "IfSteps": [step("Register", local.processing_request(""))],
            "ElseSteps": [{"Name": "TooBad", "Type": "Fail", "Arguments": failure}],
        },
    }
    return document(
        [step("Measure", measure) | {"PropertyFiles": [report]}, step("Read", read), gate],
        parameters=[{"Name": "Accuracy", "Type": "String"}],
    )


def step(name: str, request: dict[str, Any]) -> dict[str, Any]:
    arguments = {key: value for key, value in request.items() if key != "ProcessingJobName"}
    return {"Name": name, "Type": "Processing", "Arguments": arguments}


def document(steps: list[Any], parameters: list[Any] | None = None) -> dict[str, Any]:
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters or [], "Steps": steps}


def create(local: Any, definition: dict[str, Any], *, role: str = "", name: str = "") -> str:
    name = name or f"pipeline-{uuid.uuid4().hex[:8]}"
    local.client().create_pipeline(
        PipelineName=name,
        PipelineDefinition=json.dumps(definition),
        RoleArn=role or local.role,
        ClientRequestToken=uuid.uuid4().hex,
    )
    return name


def start(local: Any, name: str, parameters: dict[str, str]) -> str:
    arn: str = local.client().start_pipeline_execution(
        PipelineName=name,
        PipelineParameters=[{"Name": key, "Value": value} for key, value in parameters.items()],
        ClientRequestToken=uuid.uuid4().hex,
    )["PipelineExecutionArn"]
    return arn


def execute(
    local: Any, name: str, parameters: dict[str, str]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Run an execution to its end: its description, and its steps by name."""
    arn = start(local, name, parameters)
    assert local.sagemaker.pipelines.execution({"PipelineExecutionArn": arn}).finished.wait(60)
    sagemaker = local.client()
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    return described, {entry["StepName"]: entry for entry in steps}
