"""The CloudFormation types of containers. None of them runs."""

from localaws.core.passive_type import PassiveType
from localaws.core.resource import Resource

ARN = "arn:aws:ecs:{region}:{account}"

RESOURCES: list[Resource] = [
    PassiveType(
        type="AWS::ECS::Cluster",
        name="ClusterName",
        ref="{name}",
        attribute_values={"Arn": f"{ARN}:cluster/{{ref}}"},
    ),
    PassiveType(
        type="AWS::ECS::TaskDefinition",
        name="Family",
        ref=f"{ARN}:task-definition/{{name}}:{{hex}}",  # on AWS the revision is a number
        attribute_values={"TaskDefinitionArn": "{ref}"},
    ),
    PassiveType(
        type="AWS::ECS::Service",
        name="ServiceName",
        ref=f"{ARN}:service/{{Cluster}}/{{name}}",
        attribute_values={"ServiceArn": "{ref}", "Name": "{name}"},
    ),
]
