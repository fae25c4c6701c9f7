"""The CloudFormation types of load balancers. None of them runs."""

from localaws.core.passive_type import PassiveType
from localaws.core.resource import Resource

ARN = "arn:aws:elasticloadbalancing:{region}:{account}"

RESOURCES: list[Resource] = [
    PassiveType(
        type="AWS::ElasticLoadBalancingV2::LoadBalancer",
        name="Name",
        name_limit=32,
        ref=f"{ARN}:loadbalancer/app/{{name}}/{{hex}}",
        attribute_values={
            "LoadBalancerArn": "{ref}",
            "LoadBalancerFullName": "{resource}",
            "LoadBalancerName": "lb-{hex}",
            "DNSName": "lb-{hex}.{region}.elb.amazonaws.com",
            "CanonicalHostedZoneID": "Z{hex}",
        },
    ),
    PassiveType(
        type="AWS::ElasticLoadBalancingV2::TargetGroup",
        name="Name",
        name_limit=32,
        ref=f"{ARN}:targetgroup/{{name}}/{{hex}}",
        attribute_values={"TargetGroupArn": "{ref}", "TargetGroupFullName": "{resource}"},
    ),
    PassiveType(
        type="AWS::ElasticLoadBalancingV2::Listener",
        ref=f"{ARN}:listener/app/{{name}}/{{hex}}",
        attribute_values={"ListenerArn": "{ref}"},
    ),
]
