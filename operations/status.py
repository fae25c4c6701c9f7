"""One screen: the delivery pipeline's stages, the newest execution's steps, versions, endpoints."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
from rich.console import Console

from ml_code.contracts import Output, Parameter, Tag
from ml_code.spec import load_spec
from operations import delivery
from operations.errors import OperationError, run
from operations.factory import Factory, deployed_factory, mlflow_client, release_records
from operations.failures import failure_lines
from operations.table import Row, print_table

if TYPE_CHECKING:
    from types_boto3_sagemaker.type_defs import PipelineExecutionStepTypeDef


def main() -> None:
    factory = deployed_factory()
    console = Console()
    _print_delivery(console, factory)
    _print_training(console, factory)
    spec = load_spec()
    metric = spec.gate.metric
    print_table(
        console,
        "Model versions",
        ("version", "aliases", "commit", metric),
        _versions(factory, f"test_{metric}"),
    )
    print_table(console, "Endpoints", ("endpoint", "status", "serves", "commit", "why"), _endpoints(factory))
    if fault := _registry_fault(factory, spec.name):
        raise OperationError(f"Fault: {fault}.")


def _registry_fault(factory: Factory, model: str) -> str:
    """The fault of the alias `production`; empty without one, and before the first version."""
    from ml_code.release.records import alias_fault

    newest = release_records(factory, model).newest()
    client = mlflow_client(factory)
    if newest is None and not client.search_registered_models(f"name = '{model}'"):
        return ""
    return alias_fault(client, model, newest)


def _print_delivery(console: Console, factory: Factory) -> None:
    codepipeline = boto3.client("codepipeline")
    title, results = "Delivery: none yet", dict[str, delivery.StageResult]()
    newest = codepipeline.list_pipeline_executions(pipelineName=factory.name, maxResults=1)
    for execution in newest["pipelineExecutionSummaries"]:
        identifier = execution["pipelineExecutionId"]
        commits = [revision["revisionId"][:12] for revision in execution.get("sourceRevisions", [])]
        title = f"Delivery {identifier}, {execution['status']}, commit {' '.join(commits) or '-'}"
        results = {stage.name: stage for stage in delivery.stage_results(factory.name, identifier)}
    states = codepipeline.get_pipeline_state(name=factory.name)["stageStates"]
    rows = [_stage(state["stageName"], results.get(state["stageName"])) for state in states]
    print_table(console, title, ("stage", "status", "seconds", "why"), rows)
    for execution in newest["pipelineExecutionSummaries"]:
        for line in failure_lines(factory.name, execution["pipelineExecutionId"]):
            console.print(line, markup=False, highlight=False)


def _stage(name: str, result: delivery.StageResult | None) -> Row:
    if result is None:
        return name, "-", "", ""
    why = result.summary if result.status == "Failed" else ""
    return name, result.status, f"{result.seconds:.0f}", why


def _print_training(console: Console, factory: Factory) -> None:
    sagemaker = boto3.client("sagemaker")
    newest = sagemaker.list_pipeline_executions(
        PipelineName=factory.output(Output.TRAINING_PIPELINE_NAME),
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
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


def _versions(factory: Factory, metric_tag: str) -> Iterator[Row]:
    client = mlflow_client(factory)
    for model in client.search_registered_models():
        aliases: dict[str, list[str]] = {}
        for alias, version in model.aliases.items():
            aliases.setdefault(str(version), []).append(alias)
        found = client.search_model_versions(
            f"name = '{model.name}'", order_by=["version_number DESC"], max_results=10
        )
        for version in found:
            yield (
                f"{model.name} {version.version}",
                " ".join(aliases.get(version.version, [])),
                version.tags.get("commit", "-")[:12],
                version.tags.get(metric_tag, "-"),
            )


def _endpoints(factory: Factory) -> Iterator[Row]:
    sagemaker = boto3.client("sagemaker")
    for key in (Output.STAGING_ENDPOINT_NAME, Output.PRODUCTION_ENDPOINT_NAME):
        name = factory.output(key)
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
