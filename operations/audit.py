"""Lists whatever the account still has of the factory, by API. After a destroy it prints nothing.

Records that AWS keeps and nobody can delete (finished jobs, stopped executions) are not listed: they cost nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3

from operations.factory import factory_name, run


@dataclass(frozen=True)
class Listing:
    """One kind of resource: the paginated call that lists it, and where the names stand in its answer."""

    kind: str
    service: str
    operation: str
    items: str
    name: str | None  # None: the items are the names

    def names(self) -> Iterator[str]:
        client: Any = boto3.client(self.service)
        if client.can_paginate(self.operation):
            pages = client.get_paginator(self.operation).paginate()
        else:
            pages = [getattr(client, self.operation)()]
        for page in pages:
            for item in page.get(self.items, []):
                yield str(item if self.name is None else item[self.name])


LISTINGS = (
    Listing("bucket", "s3", "list_buckets", "Buckets", "Name"),
    Listing("endpoint", "sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
    Listing("endpoint config", "sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    Listing("model", "sagemaker", "list_models", "Models", "ModelName"),
    Listing("SageMaker pipeline", "sagemaker", "list_pipelines", "PipelineSummaries", "PipelineName"),
    Listing("MLflow App", "sagemaker", "list_mlflow_apps", "Summaries", "Name"),
    Listing(
        "MLflow tracking server",
        "sagemaker",
        "list_mlflow_tracking_servers",
        "TrackingServerSummaries",
        "TrackingServerName",
    ),
    Listing("key alias", "kms", "list_aliases", "Aliases", "AliasName"),
    Listing("repository", "codecommit", "list_repositories", "repositories", "repositoryName"),
    Listing("build project", "codebuild", "list_projects", "projects", None),
    Listing("delivery pipeline", "codepipeline", "list_pipelines", "pipelines", "name"),
    Listing("event rule", "events", "list_rules", "Rules", "Name"),
    Listing("function", "lambda", "list_functions", "Functions", "FunctionName"),
    Listing("log group", "logs", "describe_log_groups", "logGroups", "logGroupName"),
    Listing("role", "iam", "list_roles", "Roles", "RoleName"),
)


def belongs_to(factory: str, name: str) -> bool:
    """True for `factory`, `factory-…` and a path that has such a part (`/aws/codebuild/factory-build`)."""
    return any(part == factory or part.startswith(f"{factory}-") for part in name.split("/"))


def left_of(factory: str) -> list[str]:
    """One line for each resource of the factory that is still there: its kind and name."""
    left = [
        f"{listing.kind} {name}"
        for listing in LISTINGS
        for name in listing.names()
        if belongs_to(factory, name)
    ]
    return left + [f"stack {name}" for name in _stacks() if belongs_to(factory, name)]


def _stacks() -> Iterator[str]:
    for page in boto3.client("cloudformation").get_paginator("describe_stacks").paginate():
        yield from (
            stack["StackName"] for stack in page["Stacks"] if stack["StackStatus"] != "DELETE_COMPLETE"
        )


def main() -> int:
    left = left_of(factory_name())
    for line in left:
        print(line)
    return 1 if left else 0


if __name__ == "__main__":
    run(main)
