"""One screen: the newest delivery and training of each model, its versions and endpoints, the worst first."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
from rich.console import Console

from ml_code.contracts import ENDPOINT_STAGES, DeliveryVariable, Parameter, Tag
from ml_code.spec import load_spec
from ml_code.tracking.model_registry import owners_of
from operations import delivery
from operations.errors import OperationError, run
from operations.factory import (
    Factory,
    Model,
    add_model_argument,
    deployed_factory,
    mlflow_client,
    release_records,
)
from operations.failures import failure_lines
from operations.table import Row, print_table

if TYPE_CHECKING:
    from types_boto3_codepipeline.type_defs import PipelineExecutionSummaryTypeDef
    from types_boto3_sagemaker.type_defs import PipelineExecutionStepTypeDef

# The worst of a model's states first.
_WORST_FIRST = ("Failed", "Stopped", "Cancelled", "InProgress", "Superseded", "Succeeded", "none")


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """A model's newest delivery."""

    model: Model
    summary: "PipelineExecutionSummaryTypeDef | None"
    stages: list[delivery.StageResult] = field(default_factory=list)
    reason: str = ""

    @property
    def status(self) -> str:
        return self.summary["status"] if self.summary else "none"

    @property
    def commit(self) -> str:
        revisions = self.summary.get("sourceRevisions", []) if self.summary else []
        commits = [each["revisionId"][:12] for each in revisions]
        return " ".join(commits) or "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_model_argument(parser)
    chosen = parser.parse_args().model
    factory, console = deployed_factory(), Console()
    models = [factory.model(chosen)] if chosen else factory.models
    states = sorted(map(model_state, models), key=lambda state: _WORST_FIRST.index(state.status))
    if len(states) > 1:
        print_table(
            console,
            f"Models of {factory.name}",
            ("model", "delivery", "stage", "commit", "why"),
            map(_row, states),
        )
    for state in states:
        if len(states) == 1 or state.status == "Failed":
            _print_delivery(console, state)
            _print_training(console, state.model)
    rows = [row for model in models for row in _versions(factory, model)]
    print_table(console, "Model versions", ("version", "aliases", "commit", "metric"), rows)
    endpoints = [row for model in models for row in _endpoints(model)]
    print_table(console, "Endpoints", ("endpoint", "status", "serves", "commit", "why"), endpoints)
    for line in _owner_lines(factory, models):
        console.print(line, markup=False, highlight=False)
    faults = [fault for model in models if (fault := _registry_fault(factory, model))]
    if faults:
        raise OperationError("\n".join(f"Fault: {fault}." for fault in faults))


def model_state(model: Model) -> ModelState:
    codepipeline = boto3.client("codepipeline")
    newest = codepipeline.list_pipeline_executions(pipelineName=model.prefix, maxResults=1)
    for summary in newest["pipelineExecutionSummaries"]:
        identifier = summary["pipelineExecutionId"]
        execution = codepipeline.get_pipeline_execution(
            pipelineName=model.prefix, pipelineExecutionId=identifier
        )["pipelineExecution"]
        variables = {each["name"]: each["resolvedValue"] for each in execution.get("variables", [])}
        return ModelState(
            model=model,
            summary=summary,
            stages=delivery.stage_results(model.prefix, identifier),
            reason=variables.get(DeliveryVariable.TRIGGER_REASON, ""),
        )
    return ModelState(model=model, summary=None)


def _row(state: ModelState) -> Row:
    stage = state.stages[-1].name if state.stages else "-"
    return state.model.name, state.status, stage, state.commit, state.reason


def _registry_fault(factory: Factory, model: Model) -> str:
    """The fault of the alias `production`; empty without one, and before the first version."""
    from ml_code.release.records import alias_fault

    newest = release_records(factory, model).newest()
    client = mlflow_client(factory)
    if newest is None and not client.search_registered_models(f"name = '{model.name}'"):
        return ""
    return alias_fault(client, model.name, newest)


def _owner_lines(factory: Factory, models: list[Model]) -> Iterator[str]:
    names = {model.name for model in models}
    for registered in mlflow_client(factory).search_registered_models():
        if registered.name in names and (owners := owners_of(registered)):
            yield f"Owners of {registered.name}: {owners}"


def _print_delivery(console: Console, state: ModelState) -> None:
    pipeline, title = state.model.prefix, "Delivery: none yet"
    if state.summary:
        title = f"Delivery {state.summary['pipelineExecutionId']}, {state.status}, commit {state.commit}"
    results = {stage.name: stage for stage in state.stages}
    states = boto3.client("codepipeline").get_pipeline_state(name=pipeline)["stageStates"]
    rows = [_stage(each["stageName"], results.get(each["stageName"])) for each in states]
    print_table(console, title, ("stage", "status", "seconds", "why"), rows)
    if state.summary:
        for line in failure_lines(pipeline, state.summary["pipelineExecutionId"]):
            console.print(line, markup=False, highlight=False)


def _stage(name: str, result: delivery.StageResult | None) -> Row:
    if result is None:
        return name, "-", "", ""
    why = result.summary if result.status == "Failed" else ""
    return name, result.status, f"{result.seconds:.0f}", why


def _print_training(console: Console, model: Model) -> None:
    sagemaker = boto3.client("sagemaker")
    newest = sagemaker.list_pipeline_executions(
        PipelineName=model.prefix, SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )["PipelineExecutionSummaries"]
    title, rows = "Training: no execution yet", list[Row]()
    for execution in newest:
        arn = execution["PipelineExecutionArn"]
        answer = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
        parameters = {item["Name"]: item["Value"] for item in answer["PipelineParameters"]}
        commit, reason = (
            parameters.get(Parameter.COMMIT_ID, "-")[:12],
            parameters.get(Parameter.TRIGGER_REASON, "-"),
        )
        title = (
            f"Training {arn.rpartition('/')[2]}, {execution['PipelineExecutionStatus']}, "
            f"commit {commit}, started by {reason}"
        )
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
        rows = [_step(step) for step in steps["PipelineExecutionSteps"]]
    print_table(console, title, ("step", "status", "seconds", "why"), rows)


def _step(step: "PipelineExecutionStepTypeDef") -> Row:
    end = step.get("EndTime", datetime.now(UTC))
    seconds = (end - step["StartTime"]).total_seconds() if "StartTime" in step else 0.0
    return step["StepName"], step["StepStatus"], f"{seconds:.0f}", step.get("FailureReason", "")


def _versions(factory: Factory, model: Model) -> Iterator[Row]:
    client, metric = mlflow_client(factory), load_spec(name=model.name).gate.metric
    for registered in client.search_registered_models(f"name = '{model.name}'"):
        aliases: dict[str, list[str]] = {}
        for alias, version in registered.aliases.items():
            aliases.setdefault(str(version), []).append(alias)
        found = client.search_model_versions(
            f"name = '{model.name}'", order_by=["version_number DESC"], max_results=10
        )
        for version in found:
            value = version.tags.get(f"test_{metric}", "-")
            yield (
                f"{model.name} {version.version}",
                " ".join(aliases.get(version.version, [])),
                version.tags.get("commit", "-")[:12],
                f"{metric} {value}",
            )


def _endpoints(model: Model) -> Iterator[Row]:
    sagemaker = boto3.client("sagemaker")
    for name in map(model.endpoint, ENDPOINT_STAGES):
        found = [
            endpoint
            for endpoint in sagemaker.list_endpoints(NameContains=name)["Endpoints"]
            if endpoint["EndpointName"] == name
        ]
        for endpoint in found:
            described = sagemaker.describe_endpoint(EndpointName=name)
            listed = sagemaker.list_tags(ResourceArn=endpoint["EndpointArn"])["Tags"]
            tags = {tag["Key"]: tag["Value"] for tag in listed}
            yield (
                name,
                described["EndpointStatus"],
                f"{tags.get(Tag.MODEL_NAME, '-')} {tags.get(Tag.MODEL_VERSION, '-')}",
                tags.get(Tag.COMMIT, "-")[:12],
                described.get("FailureReason", ""),
            )
        if not found:
            yield name, "-", "not deployed yet", "", ""


if __name__ == "__main__":
    run(main)
