"""The CloudFormation types of containers, their load balancer and database. moto keeps them; none of them runs."""

from typing import Any

import botocore.session

from localaws.core.api_type import ApiType
from localaws.core.property_case import to_api
from localaws.core.resource import Properties, Resource

BALANCER_ATTRIBUTES = {
    "DNSName": "DNSName",
    "CanonicalHostedZoneID": "CanonicalHostedZoneId",
    "LoadBalancerName": "LoadBalancerName",
}


def _request(service: str, operation: str, properties: Properties, *left_out: str) -> Any:
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    given = {key: value for key, value in properties.items() if key not in ("LogicalId", *left_out)}
    return to_api(given, model.input_shape, operation)


def _cluster(ecs: Any, properties: Properties) -> str:
    made = ecs.create_cluster(**_request("ecs", "CreateCluster", properties))
    return str(made["cluster"]["clusterName"])


def _task(ecs: Any, properties: Properties) -> str:
    made = ecs.register_task_definition(**_request("ecs", "RegisterTaskDefinition", properties))
    return str(made["taskDefinition"]["taskDefinitionArn"])


def _service(ecs: Any, properties: Properties) -> str:
    return str(ecs.create_service(**_request("ecs", "CreateService", properties))["service"]["serviceArn"])


def _delete_service(ecs: Any, arn: str, properties: Properties) -> None:
    ecs.delete_service(cluster=properties["Cluster"], service=arn, force=True)


def _balancer(elbv2: Any, properties: Properties) -> str:
    request = _request("elbv2", "CreateLoadBalancer", properties, "LoadBalancerAttributes")
    arn = str(elbv2.create_load_balancer(**request)["LoadBalancers"][0]["LoadBalancerArn"])
    if attributes := properties.get("LoadBalancerAttributes"):
        elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)
    return arn


def _balancer_attributes(elbv2: Any, arn: str) -> dict[str, str]:
    found = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
    values = {name: str(found[member]) for name, member in BALANCER_ATTRIBUTES.items()}
    return {**values, "LoadBalancerArn": arn, "LoadBalancerFullName": arn.partition("loadbalancer/")[2]}


def _target_group(elbv2: Any, properties: Properties) -> str:
    named = {"Name": properties["LogicalId"][-32:].strip("-"), **properties}
    request = _request("elbv2", "CreateTargetGroup", named, "TargetGroupAttributes")
    arn = str(elbv2.create_target_group(**request)["TargetGroups"][0]["TargetGroupArn"])
    if attributes := properties.get("TargetGroupAttributes"):
        elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
    return arn


def _listener(elbv2: Any, properties: Properties) -> str:
    made = elbv2.create_listener(**_request("elbv2", "CreateListener", properties))
    return str(made["Listeners"][0]["ListenerArn"])


def _subnet_group(rds: Any, properties: Properties) -> str:
    name = properties.get("DBSubnetGroupName", properties["LogicalId"].lower())
    request = _request("rds", "CreateDBSubnetGroup", {**properties, "DBSubnetGroupName": name})
    return str(rds.create_db_subnet_group(**request)["DBSubnetGroup"]["DBSubnetGroupName"])


def _instance(rds: Any, properties: Properties) -> str:
    renamed = {"VPCSecurityGroups": "VpcSecurityGroupIds"}
    left_out = ("MasterUserSecret", "DeleteAutomatedBackups")
    request = {renamed.get(key, key): value for key, value in properties.items() if key not in left_out}
    if secret := properties.get("MasterUserSecret"):
        request["MasterUserSecretKmsKeyId"] = secret["KmsKeyId"]
    request["DBInstanceIdentifier"] = properties["LogicalId"].lower()[:63]
    made = rds.create_db_instance(**_request("rds", "CreateDBInstance", request))
    return str(made["DBInstance"]["DBInstanceIdentifier"])


def _instance_attributes(rds: Any, identifier: str) -> dict[str, str]:
    found = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    values = {
        "DBInstanceArn": found["DBInstanceArn"],
        "Endpoint.Address": found["Endpoint"]["Address"],
        "Endpoint.Port": str(found["Endpoint"]["Port"]),
    }
    if secret := found.get("MasterUserSecret"):
        values["MasterUserSecret.SecretArn"] = secret["SecretArn"]
    return values


def _delete_instance(rds: Any, identifier: str, properties: Properties) -> None:
    rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)


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
    ApiType(
        type="AWS::ElasticLoadBalancingV2::LoadBalancer",
        service="elbv2",
        known={"LoadBalancerAttributes", "Name", "Scheme", "SecurityGroups", "Subnets", "Tags", "Type"},
        create_=_balancer,
        delete_=lambda elbv2, arn, _: elbv2.delete_load_balancer(LoadBalancerArn=arn),
        attributes_=_balancer_attributes,
        missing=("LoadBalancerNotFound",),
    ),
    ApiType(
        type="AWS::ElasticLoadBalancingV2::TargetGroup",
        service="elbv2",
        known={
            *(
                "HealthCheckIntervalSeconds",
                "HealthCheckPath",
                "HealthCheckTimeoutSeconds",
                "Port",
                "Protocol",
            ),
            *("Tags", "TargetGroupAttributes", "TargetType", "VpcId"),
        },
        create_=_target_group,
        delete_=lambda elbv2, arn, _: elbv2.delete_target_group(TargetGroupArn=arn),
        attributes_=lambda _, arn: {"TargetGroupArn": arn, "TargetGroupName": arn.split("/")[1]},
        missing=("TargetGroupNotFound",),
    ),
    ApiType(
        type="AWS::ElasticLoadBalancingV2::Listener",
        service="elbv2",
        known={"DefaultActions", "LoadBalancerArn", "Port", "Protocol", "Tags"},
        create_=_listener,
        delete_=lambda elbv2, arn, _: elbv2.delete_listener(ListenerArn=arn),
        attributes_=lambda _, arn: {"ListenerArn": arn},
        missing=("ListenerNotFound",),
    ),
    ApiType(
        type="AWS::RDS::DBSubnetGroup",
        service="rds",
        known={"DBSubnetGroupDescription", "DBSubnetGroupName", "SubnetIds", "Tags"},
        create_=_subnet_group,
        delete_=lambda rds, name, _: rds.delete_db_subnet_group(DBSubnetGroupName=name),
        missing=("DBSubnetGroupNotFoundFault",),
    ),
    ApiType(
        type="AWS::RDS::DBInstance",
        service="rds",
        known={
            *("AllocatedStorage", "AutoMinorVersionUpgrade", "BackupRetentionPeriod", "CopyTagsToSnapshot"),
            *(
                "DBInstanceClass",
                "DBName",
                "DBSubnetGroupName",
                "DeleteAutomatedBackups",
                "Engine",
                "MultiAZ",
            ),
            *("EngineVersion", "KmsKeyId", "ManageMasterUserPassword", "MasterUserSecret", "MasterUsername"),
            *("PubliclyAccessible", "StorageEncrypted", "StorageType", "Tags", "VPCSecurityGroups"),
        },
        create_=_instance,
        delete_=_delete_instance,
        attributes_=_instance_attributes,
        missing=("DBInstanceNotFound", "DBInstanceNotFoundFault"),
    ),
]
