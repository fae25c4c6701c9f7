"""One screen: the delivery pipeline's stages, the running execution's steps, versions, endpoints."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
from rich.console import Console
from rich.table import Table

from operations.factory import Factory, deployed_factory, registry, run

COLOURS = {
    "Succeeded": "green",
    "InService": "green",
    "Failed": "red",
    "InProgress": "yellow",
    "Executing": "yellow",
}


def main() -> None:
    factory = deployed_factory()
    console = Console()
    console.print(_table("Delivery pipeline", ("stage", "status", "commit or reason"), _stages(factory)))
    console.print(_table("Newest training execution", ("step", "status", "seconds"), _steps(factory)))
    console.print(
        _table("Model versions", ("version", "aliases", "commit", "test metrics"), _versions(factory))
    )
    console.print(_table("Endpoints", ("endpoint", "status", "model"), _endpoints(factory)))


def _table(title: str, columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"[{COLOURS[cell]}]{cell}[/]" if cell in COLOURS else cell for cell in row))
    return table


def _stages(factory: Factory) -> Iterator[tuple[str, ...]]:
    for stage in boto3.client("codepipeline").get_pipeline_state(name=factory.name)["stageStates"]:
        actions = [action.get("latestExecution", {}) for action in stage.get("actionStates", [])]
        details = [
            action.get("errorDetails", {}).get("message") or action.get("summary", "") for action in actions
        ]
        yield stage["stageName"], stage.get("latestExecution", {}).get("status", "-"), " ".join(details)


def _steps(factory: Factory) -> Iterator[tuple[str, ...]]:
    sagemaker = boto3.client("sagemaker")
    newest = sagemaker.list_pipeline_executions(
        PipelineName=factory.output("TrainingPipelineName"),
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["PipelineExecutionSummaries"]
    for execution in newest:
        steps: list[dict[str, Any]] = sagemaker.list_pipeline_execution_steps(
            PipelineExecutionArn=execution["PipelineExecutionArn"], SortOrder="Ascending"
        )["PipelineExecutionSteps"]
        for step in steps:
            end = step.get("EndTime", datetime.now(UTC))
            seconds = (end - step["StartTime"]).total_seconds() if "StartTime" in step else 0.0
            yield step["StepName"], step["StepStatus"], f"{seconds:.0f}"


def _versions(factory: Factory) -> Iterator[tuple[str, ...]]:
    client = registry(factory)
    for model in client.search_registered_models():
        aliases: dict[str, list[str]] = {}
        for alias, version in model.aliases.items():
            aliases.setdefault(str(version), []).append(alias)
        found = client.search_model_versions(
            f"name = '{model.name}'", order_by=["version_number DESC"], max_results=10
        )
        for version in found:
            metrics = [
                f"{key}={value}" for key, value in sorted(version.tags.items()) if key.startswith("test_")
            ]
            commit = version.tags.get("commit", "-")[:12]
            yield (
                f"{model.name} {version.version}",
                " ".join(aliases.get(version.version, [])),
                commit,
                " ".join(metrics),
            )


def _endpoints(factory: Factory) -> Iterator[tuple[str, ...]]:
    sagemaker = boto3.client("sagemaker")
    for endpoint in sagemaker.list_endpoints(NameContains=f"{factory.name}-")["Endpoints"]:
        described = sagemaker.describe_endpoint(EndpointName=endpoint["EndpointName"])
        reason = described.get("FailureReason", "")
        yield (
            endpoint["EndpointName"],
            described["EndpointStatus"],
            f"{described['EndpointConfigName']} {reason}",
        )


if __name__ == "__main__":
    run(main)
