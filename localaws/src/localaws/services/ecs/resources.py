"""The CloudFormation types of containers. moto keeps them; none of them runs."""

from typing import Any

from localaws.core.api_type import ApiType, api_request
from localaws.core.resource import Properties, Resource


def _cluster(ecs: Any, properties: Properties) -> str:
    made = ecs.create_cluster(**api_request("ecs", "CreateCluster", properties))
    return str(made["cluster"]["clusterName"])


def _task(ecs: Any, properties: Properties) -> str:
    made = ecs.register_task_definition(**api_request("ecs", "RegisterTaskDefinition", properties))
    return str(made["taskDefinition"]["taskDefinitionArn"])


def _service(ecs: Any, properties: Properties) -> str:
    return str(ecs.create_service(**api_request("ecs", "CreateService", properties))["service"]["serviceArn"])


def _delete_service(ecs: Any, arn: str, properties: Properties) -> None:
    ecs.delete_service(cluster=properties["Cluster"], service=arn, force=True)


RESOURCES: list[Resource] = [
    ApiType(
        type="AWS::ECS::Cluster",
        service="ecs",
        known={"ClusterName", "ClusterSettings", "Tags"},
        create_=_cluster,
        delete_=lambda ecs, name, _: ecs.delete_cluster(cluster=name),
        attributes_=lambda ecs, name: {
            "Arn": ecs.describe_clusters(clusters=[name])["clusters"][0]["clusterArn"]
        },
        missing=("ClusterNotFoundException",),
    ),
    ApiType(
        type="AWS::ECS::TaskDefinition",
        service="ecs",
        known={
            *("ContainerDefinitions", "Cpu", "ExecutionRoleArn", "Family", "Memory", "NetworkMode", "Tags"),
            *("RequiresCompatibilities", "TaskRoleArn"),
        },
        create_=_task,
        delete_=lambda ecs, arn, _: ecs.deregister_task_definition(taskDefinition=arn),
        attributes_=lambda _, arn: {"TaskDefinitionArn": arn},
        missing=("ClientException",),
    ),
    ApiType(
        type="AWS::ECS::Service",
        service="ecs",
        known={
            *("Cluster", "DeploymentConfiguration", "DeploymentController", "DesiredCount", "LaunchType"),
            *(
                "EnableECSManagedTags",
                "HealthCheckGracePeriodSeconds",
                "LoadBalancers",
                "ServiceName",
                "Tags",
            ),
            *("NetworkConfiguration", "TaskDefinition"),
        },
        create_=_service,
        delete_=_delete_service,
        attributes_=lambda _, arn: {"ServiceArn": arn, "Name": arn.rpartition("/")[2]},
        missing=("ServiceNotFoundException", "ClusterNotFoundException"),
    ),
]
