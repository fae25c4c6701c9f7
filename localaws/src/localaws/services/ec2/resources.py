"""The CloudFormation types of a network. moto keeps it; no packet ever passes through."""

from typing import Any

from localaws.core.api_type import ApiType
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import as_boolean

RULE = {"IpProtocol", "CidrIp", "Description", "FromPort", "ToPort"}


def _tag(ec2: Any, identifier: str, properties: Properties) -> str:
    if tags := properties.get("Tags"):
        ec2.create_tags(Resources=[identifier], Tags=tags)
    return identifier


def _vpc(ec2: Any, properties: Properties) -> str:
    vpc = ec2.create_vpc(
        CidrBlock=properties["CidrBlock"], InstanceTenancy=properties.get("InstanceTenancy", "default")
    )["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        if name in properties:
            ec2.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": as_boolean(properties[name])}})
    return _tag(ec2, vpc, properties)


def _subnet(ec2: Any, properties: Properties) -> str:
    keys = ("VpcId", "CidrBlock", "AvailabilityZone")
    subnet = ec2.create_subnet(**{key: properties[key] for key in keys})["Subnet"]["SubnetId"]
    public = as_boolean(properties.get("MapPublicIpOnLaunch", False))
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": public})
    return _tag(ec2, subnet, properties)


def _attach(ec2: Any, properties: Properties) -> str:
    gateway, vpc = properties["InternetGatewayId"], properties["VpcId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return f"IGW|{vpc}"


def _route(ec2: Any, properties: Properties) -> str:
    ec2.create_route(**{key: value for key, value in properties.items() if key != "LogicalId"})
    return f"{properties['RouteTableId']}|{properties['DestinationCidrBlock']}"


def _flow_log(ec2: Any, properties: Properties) -> str:
    keys = ("DeliverLogsPermissionArn", "LogGroupName", "ResourceType", "TrafficType")
    answer = ec2.create_flow_logs(
        ResourceIds=[properties["ResourceId"]], **{key: properties[key] for key in keys}
    )
    if answer.get("Unsuccessful"):
        raise ValueError(f"AWS::EC2::FlowLog: {answer['Unsuccessful'][0]['Error']['Message']}")
    return _tag(ec2, answer["FlowLogIds"][0], properties)


def _security_group(ec2: Any, properties: Properties) -> str:
    name = properties.get("GroupName", properties["LogicalId"])
    group = ec2.create_security_group(
        GroupName=name, Description=properties["GroupDescription"], VpcId=properties["VpcId"]
    )["GroupId"]
    egress = properties.get("SecurityGroupEgress")
    if egress:  # instead of the rule that lets everything out
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everything])
        ec2.authorize_security_group_egress(
            GroupId=group, IpPermissions=[_permission(rule) for rule in egress]
        )
    if ingress := properties.get("SecurityGroupIngress"):
        permissions = [_permission(rule) for rule in ingress]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)
    return _tag(ec2, group, properties)


def _permission(rule: Properties) -> Properties:
    permission: Properties = {"IpProtocol": str(rule["IpProtocol"])}
    permission |= {key: int(rule[key]) for key in ("FromPort", "ToPort") if key in rule}
    described = {"Description": rule["Description"]} if "Description" in rule else {}
    if "CidrIp" in rule:
        permission["IpRanges"] = [{"CidrIp": rule["CidrIp"], **described}]
    other = rule.get("SourceSecurityGroupId", rule.get("DestinationSecurityGroupId"))
    if other:
        permission["UserIdGroupPairs"] = [{"GroupId": other, **described}]
    return permission


def _rule_type(direction: str, other: str) -> ApiType:
    """A rule as a resource of its own, as CDK makes it between two groups."""
    verb = direction.lower()

    def create(ec2: Any, properties: Properties) -> str:
        authorize = getattr(ec2, f"authorize_security_group_{verb}")
        group = properties["GroupId"]
        made = authorize(GroupId=group, IpPermissions=[_permission(properties)])
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def delete(ec2: Any, identifier: str, properties: Properties) -> None:
        revoke = getattr(ec2, f"revoke_security_group_{verb}")
        revoke(GroupId=properties["GroupId"], IpPermissions=[_permission(properties)])

    return ApiType(
        type=f"AWS::EC2::SecurityGroup{direction}",
        service="ec2",
        known={"GroupId", other, *RULE},
        create_=create,
        delete_=delete,
        missing=("InvalidGroup.NotFound", "InvalidPermission.NotFound"),
    )


def _endpoint(ec2: Any, properties: Properties) -> str:
    request = {key: value for key, value in properties.items() if key not in ("LogicalId", "Tags")}
    if "PrivateDnsEnabled" in request:
        request["PrivateDnsEnabled"] = as_boolean(request["PrivateDnsEnabled"])
    made = ec2.create_vpc_endpoint(**request)["VpcEndpoint"]["VpcEndpointId"]
    return _tag(ec2, made, properties)


def _nat_gateway(ec2: Any, properties: Properties) -> str:
    keys = ("AllocationId", "SubnetId")
    made = ec2.create_nat_gateway(**{key: properties[key] for key in keys})["NatGateway"]["NatGatewayId"]
    return _tag(ec2, made, properties)


def _detach(ec2: Any, identifier: str, properties: Properties) -> None:
    ec2.detach_internet_gateway(InternetGatewayId=properties["InternetGatewayId"], VpcId=properties["VpcId"])


RESOURCES: list[Resource] = [
    ApiType(
        type="AWS::EC2::VPC",
        service="ec2",
        known={"CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"},
        create_=_vpc,
        delete_=lambda ec2, id_, _: ec2.delete_vpc(VpcId=id_),
        attributes_=lambda ec2, id_: {
            "VpcId": id_,
            "CidrBlock": ec2.describe_vpcs(VpcIds=[id_])["Vpcs"][0]["CidrBlock"],
        },
        missing=("InvalidVpcID.NotFound",),
    ),
    ApiType(
        type="AWS::EC2::Subnet",
        service="ec2",
        known={"AvailabilityZone", "CidrBlock", "MapPublicIpOnLaunch", "Tags", "VpcId"},
        create_=_subnet,
        delete_=lambda ec2, id_, _: ec2.delete_subnet(SubnetId=id_),
        missing=("InvalidSubnetID.NotFound",),
    ),
    ApiType(
        type="AWS::EC2::InternetGateway",
        service="ec2",
        known={"Tags"},
        create_=lambda ec2, properties: _tag(
            ec2, ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"], properties
        ),
        delete_=lambda ec2, id_, _: ec2.delete_internet_gateway(InternetGatewayId=id_),
        missing=("InvalidInternetGatewayID.NotFound",),
    ),
    ApiType(
        type="AWS::EC2::VPCGatewayAttachment",
        service="ec2",
        known={"InternetGatewayId", "VpcId"},
        create_=_attach,
        delete_=_detach,
        missing=("Gateway.NotAttached", "InvalidInternetGatewayID.NotFound"),
    ),
    ApiType(
        type="AWS::EC2::EIP",
        service="ec2",
        known={"Domain", "Tags"},
        create_=lambda ec2, properties: str(ec2.allocate_address(Domain="vpc")["PublicIp"]),
        delete_=lambda ec2, id_, _: ec2.release_address(AllocationId=_allocation(ec2, id_)),
        attributes_=lambda ec2, id_: {"AllocationId": _allocation(ec2, id_), "PublicIp": id_},
    ),
    ApiType(
        type="AWS::EC2::NatGateway",
        service="ec2",
        known={"AllocationId", "SubnetId", "Tags"},
        create_=_nat_gateway,
        delete_=lambda ec2, id_, _: ec2.delete_nat_gateway(NatGatewayId=id_),
        attributes_=lambda ec2, id_: {"NatGatewayId": id_},
        missing=("NatGatewayNotFound",),
    ),
    ApiType(
        type="AWS::EC2::RouteTable",
        service="ec2",
        known={"Tags", "VpcId"},
        create_=lambda ec2, properties: _tag(
            ec2, ec2.create_route_table(VpcId=properties["VpcId"])["RouteTable"]["RouteTableId"], properties
        ),
        delete_=lambda ec2, id_, _: ec2.delete_route_table(RouteTableId=id_),
        attributes_=lambda ec2, id_: {"RouteTableId": id_},
        missing=("InvalidRouteTableID.NotFound",),
    ),
    ApiType(
        type="AWS::EC2::SubnetRouteTableAssociation",
        service="ec2",
        known={"RouteTableId", "SubnetId"},
        create_=lambda ec2, properties: str(
            ec2.associate_route_table(
                RouteTableId=properties["RouteTableId"], SubnetId=properties["SubnetId"]
            )["AssociationId"]
        ),
        delete_=lambda ec2, id_, _: ec2.disassociate_route_table(AssociationId=id_),
        missing=("InvalidAssociationID.NotFound",),
    ),
    ApiType(
        type="AWS::EC2::Route",
        service="ec2",
        known={"DestinationCidrBlock", "GatewayId", "NatGatewayId", "RouteTableId"},
        create_=_route,
        delete_=lambda ec2, _, properties: ec2.delete_route(
            RouteTableId=properties["RouteTableId"], DestinationCidrBlock=properties["DestinationCidrBlock"]
        ),
        missing=("InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"),
    ),
    ApiType(
        type="AWS::EC2::SecurityGroup",
        service="ec2",
        known={
            *(
                "GroupDescription",
                "GroupName",
                "SecurityGroupEgress",
                "SecurityGroupIngress",
                "Tags",
                "VpcId",
            ),
        },
        create_=_security_group,
        delete_=lambda ec2, id_, _: ec2.delete_security_group(GroupId=id_),
        attributes_=lambda _, id_: {"GroupId": id_},
        missing=("InvalidGroup.NotFound",),
    ),
    _rule_type("Ingress", "SourceSecurityGroupId"),
    _rule_type("Egress", "DestinationSecurityGroupId"),
    ApiType(
        type="AWS::EC2::FlowLog",
        service="ec2",
        known={
            *("DeliverLogsPermissionArn", "LogGroupName", "ResourceId", "ResourceType", "Tags"),
            "TrafficType",
        },
        create_=_flow_log,
        delete_=lambda ec2, id_, _: ec2.delete_flow_logs(FlowLogIds=[id_]),
        missing=("InvalidFlowLogId.NotFound",),
    ),
    ApiType(
        type="AWS::EC2::VPCEndpoint",
        service="ec2",
        known={
            *("PrivateDnsEnabled", "RouteTableIds", "SecurityGroupIds", "ServiceName", "SubnetIds", "Tags"),
            *("VpcEndpointType", "VpcId"),
        },
        create_=_endpoint,
        delete_=lambda ec2, id_, _: ec2.delete_vpc_endpoints(VpcEndpointIds=[id_]),
    ),
]


def _allocation(ec2: Any, address: str) -> str:
    found: str = ec2.describe_addresses(PublicIps=[address])["Addresses"][0]["AllocationId"]
    return found
