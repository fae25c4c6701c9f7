"""Lists what the account still has of the factory, by API. After a destroy it prints nothing.

Records that AWS keeps and nobody can delete (finished jobs, stopped executions) are not listed, nor is what jobs and
executions leave in SageMaker's lineage and experiments, nor CDK's assets: docs/operations.md has them.
"""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from ml_code.contracts import Tag
from operations.account import say_account
from operations.errors import run
from operations.factory import factory_name

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import TagTypeDef


@dataclass(frozen=True)
class Listing:
    """One kind of resource: the paginated call that lists it, and where its answer has the names."""

    kind: str
    service: str
    operation: str
    items: str
    name: str | None  # None: the items are the names
    deleted: str = ""  # the Status of what is listed for a while after its deletion

    def names(self) -> Iterator[str]:
        client: Any = boto3.client(self.service)  # type: ignore[call-overload] # any service
        if client.can_paginate(self.operation):
            pages = client.get_paginator(self.operation).paginate()
        else:
            pages = [getattr(client, self.operation)()]
        for page in pages:
            for item in page.get(self.items, []):
                if not self.deleted or item["Status"] != self.deleted:
                    yield str(item if self.name is None else item[self.name])


LISTINGS = (
    Listing("bucket", "s3", "list_buckets", "Buckets", "Name"),
    Listing("endpoint", "sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
    Listing("endpoint config", "sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    Listing("model", "sagemaker", "list_models", "Models", "ModelName"),
    Listing(
        "model package group",
        "sagemaker",
        "list_model_package_groups",
        "ModelPackageGroupSummaryList",
        "ModelPackageGroupName",
    ),
    Listing("SageMaker pipeline", "sagemaker", "list_pipelines", "PipelineSummaries", "PipelineName"),
    Listing("MLflow App", "sagemaker", "list_mlflow_apps", "Summaries", "Name", deleted="Deleted"),
    Listing(
        "MLflow tracking server",
        "sagemaker",
        "list_mlflow_tracking_servers",
        "TrackingServerSummaries",
        "TrackingServerName",
    ),
    Listing("alarm", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    Listing("dashboard", "cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    Listing("topic", "sns", "list_topics", "Topics", "TopicArn"),
    Listing("subscription", "sns", "list_subscriptions", "Subscriptions", "TopicArn"),
    Listing("secret", "secretsmanager", "list_secrets", "SecretList", "Name"),
    Listing("schedule", "scheduler", "list_schedules", "Schedules", "Name"),
    Listing("key alias", "kms", "list_aliases", "Aliases", "AliasName"),
    Listing("repository", "codecommit", "list_repositories", "repositories", "repositoryName"),
    Listing("connection", "codeconnections", "list_connections", "Connections", "ConnectionName"),
    Listing("build project", "codebuild", "list_projects", "projects", None),
    Listing("delivery pipeline", "codepipeline", "list_pipelines", "pipelines", "name"),
    Listing("event rule", "events", "list_rules", "Rules", "Name"),
    Listing("function", "lambda", "list_functions", "Functions", "FunctionName"),
    Listing("log group", "logs", "describe_log_groups", "logGroups", "logGroupName"),
    Listing("role", "iam", "list_roles", "Roles", "RoleName"),
)


# Found by tag, because their names are AWS's own; the prefix is an ARN's service and, where needed, kind.
TAGGED = ("ec2", "ecs", "rds", "elasticloadbalancing", "elasticfilesystem", "kms")


def belongs_to(factory: str, name: str, others: AbstractSet[str] = frozenset()) -> bool:
    """Whether the name is `factory`, `factory-…`, or a path or ARN with such a part (`/aws/codebuild/factory-build`).

    `others` are the names of the account's other factories: `digits-eu-build` is not of `digits` where there is
    a factory `digits-eu`.
    """
    parts = re.split("[/:]", name)
    mine = [part for part in parts if part == factory or part.startswith(f"{factory}-")]
    longer = [other for other in others if other.startswith(f"{factory}-")]
    return any(not any(part == other or part.startswith(f"{other}-") for other in longer) for part in mine)


def left_of(factory: str) -> list[str]:
    """One line for each resource of the factory that is still there: its kind and name."""
    others = _factories() - {factory}
    found = [(listing.kind, name) for listing in LISTINGS for name in listing.names()]
    found += [("stack", name) for name, _ in _stacks()]
    found += [("budget", name) for name in _budgets()]
    left = [f"{kind} {name}" for kind, name in found if belongs_to(factory, name, others)]
    return left + [f"tagged {arn}" for arn in _tagged(factory)]


def _factories() -> set[str]:
    """The names of all factories that have something in this account and region."""
    client = boto3.client("resourcegroupstaggingapi")
    pages = client.get_paginator("get_tag_values").paginate(Key=Tag.FACTORY)
    return {value for page in pages for value in page["TagValues"]} | {
        tag["Value"] for _, tags in _stacks() for tag in tags if tag["Key"] == Tag.FACTORY
    }


def _tagged(factory: str) -> Iterator[str]:
    client = boto3.client("resourcegroupstaggingapi")
    pages = client.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": Tag.FACTORY, "Values": [factory]}], ResourceTypeFilters=list(TAGGED)
    )
    for page in pages:
        for resource in page["ResourceTagMappingList"]:
            if not _is_deleted(resource["ResourceARN"]):
                yield resource["ResourceARN"]


def _is_deleted(arn: str) -> bool:
    """Whether the resource is deleted; AWS lists some by their tags for a while after that, unbilled."""
    _, _, service, _, _, resource = arn.split(":", 5)
    kind, _, name = resource.partition("/")
    if (service, kind) == ("kms", "key"):
        described = boto3.client("kms").describe_key(KeyId=arn)["KeyMetadata"]
        return bool(described.get("KeyState") == "PendingDeletion")
    if (service, kind) == ("ec2", "natgateway"):
        found = boto3.client("ec2").describe_nat_gateways(
            Filters=[{"Name": "nat-gateway-id", "Values": [name]}]
        )
        return all(gateway["State"] in ("deleting", "deleted") for gateway in found["NatGateways"])
    if service == "ecs":
        return _is_inactive(kind, name, arn)
    return False


def _is_inactive(kind: str, name: str, arn: str) -> bool:
    ecs = boto3.client("ecs")
    if kind == "task-definition":
        status = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"]
        return bool(status != "ACTIVE")
    if kind == "service":
        cluster = name.partition("/")[0]
        listed = ecs.describe_services(cluster=cluster, services=[arn])["services"]
        return all(service["status"] != "ACTIVE" for service in listed)
    if kind == "cluster":
        return all(each["status"] != "ACTIVE" for each in ecs.describe_clusters(clusters=[arn])["clusters"])
    return False


def _budgets() -> Iterator[str]:
    account = boto3.client("sts").get_caller_identity()["Account"]
    for page in boto3.client("budgets").get_paginator("describe_budgets").paginate(AccountId=account):
        yield from (budget["BudgetName"] for budget in page.get("Budgets", []))


def _stacks() -> Iterator[tuple[str, list["TagTypeDef"]]]:
    for page in boto3.client("cloudformation").get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            if stack["StackStatus"] != "DELETE_COMPLETE":
                yield stack["StackName"], stack.get("Tags", [])


def main() -> int:
    say_account()
    left = left_of(factory_name())
    for line in left:
        print(line)
    return 1 if left else 0


if __name__ == "__main__":
    run(main)
