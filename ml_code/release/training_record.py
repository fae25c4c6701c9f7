"""Compares what a delivery's Build claims with SageMaker's own record and the registry.

The pushed code runs in the Build and in the jobs: it can export any version of any execution. Only one passes: of this
factory's pipeline, for this delivery's commit, started while its Build ran, succeeded, through its gate.
"""

import json
from typing import TYPE_CHECKING, Any

from ml_code.contracts import Parameter, Step
from ml_code.release.delivery_record import Training
from ml_code.spec import Gate
from ml_code.tracking.model_registry import RegisteredVersion

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient


class ClaimError(Exception):
    """The claim and the record differ."""


def check_training(
    sagemaker: "SageMakerClient",
    *,
    training: Training,
    version: RegisteredVersion,
    gate: Gate,
    pipeline: str,
    commit: str,
) -> None:
    """Compare what the Build claims with the records of SageMaker and of the registry.

    `pipeline` is the name of the factory's SageMaker pipeline, `commit` is what CodePipeline fetched; `gate` is
    that of the commit's model.yaml. Raises ReleaseError for the first claim that differs.
    """
    arn = training.execution_arn
    _same(
        "the pipeline of the claimed execution",
        arn.rpartition(":")[2].split("/execution/")[0],
        f"pipeline/{pipeline}",
    )
    _same(f"the execution of version {version.version} in the registry", version.execution_arn, arn)
    _same(f"the commit of version {version.version} in the registry", version.commit, commit)
    execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    _same(f"the status of {arn}", execution["PipelineExecutionStatus"], "Succeeded")
    if execution["CreationTime"] < training.build_started:
        raise ClaimError(
            f"{arn} was started at {execution['CreationTime']}, before this delivery's Build "
            f"({training.build_started}): it belongs to another delivery"
        )
    answer = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    parameters = {item["Name"]: item["Value"] for item in answer["PipelineParameters"]}
    _same(f"{Parameter.COMMIT_ID} of {arn}", parameters.get(Parameter.COMMIT_ID), commit)
    _same(f"{Parameter.CODE_URI} of {arn}", parameters.get(Parameter.CODE_URI), version.code_uri)
    _check_steps(sagemaker, arn)
    _check_gate(sagemaker, arn, gate)


def executed_steps(sagemaker: "SageMakerClient", arn: str) -> dict[str, Any]:
    """SageMaker's record of each step of an execution, by its name."""
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn)
    return {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}


def defined_steps(sagemaker: "SageMakerClient", arn: str) -> dict[str, Any]:
    """The definition of each step that an execution ran by, without those of a condition's branches, by its name."""
    answer = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    return {step["Name"]: step for step in json.loads(answer["PipelineDefinition"])["Steps"]}


def _check_steps(sagemaker: "SageMakerClient", arn: str) -> None:
    steps = executed_steps(sagemaker, arn)
    gate = steps.get(Step.GATE, {}).get("Metadata", {}).get("Condition", {})
    _same(f"the outcome of {Step.GATE} in {arn}", gate.get("Outcome"), "True")
    _same(
        f"the status of {Step.REGISTER} in {arn}", steps.get(Step.REGISTER, {}).get("StepStatus"), "Succeeded"
    )


def _check_gate(sagemaker: "SageMakerClient", arn: str, gate: Gate) -> None:
    """A Build may write another gate into the pipeline than model.yaml has, which the approver reads."""
    conditions = defined_steps(sagemaker, arn)[Step.GATE]["Arguments"]["Conditions"]
    asked = [condition.get("RightValue") for condition in conditions]
    _same(f"the gate in the definition of {arn}", asked, [gate.threshold, -gate.tolerance])


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ClaimError(f"{what} is {found!r}, this delivery has {expected!r}: nothing is released")
