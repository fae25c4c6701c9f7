"""The CloudFormation types of load balancers. moto keeps them; none of them runs."""

from typing import Any

from localaws.core.api_type import ApiType, api_request
from localaws.core.resource import Properties, Resource

BALANCER_ATTRIBUTES = {
    "DNSName": "DNSName",
    "CanonicalHostedZoneID": "CanonicalHostedZoneId",
    "LoadBalancerName": "LoadBalancerName",
}


def _balancer(elbv2: Any, properties: Properties) -> str:
    request = api_request("elbv2", "CreateLoadBalancer", properties, "LoadBalancerAttributes")
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
    request = api_request("elbv2", "CreateTargetGroup", named, "TargetGroupAttributes")
    arn = str(elbv2.create_target_group(**request)["TargetGroups"][0]["TargetGroupArn"])
    if attributes := properties.get("TargetGroupAttributes"):
        elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
    return arn


def _listener(elbv2: Any, properties: Properties) -> str:
    made = elbv2.create_listener(**api_request("elbv2", "CreateListener", properties))
    return str(made["Listeners"][0]["ListenerArn"])


RESOURCES: list[Resource] = [
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
]
