"""The CloudFormation types of a network; no packet ever passes through it.

moto keeps VPCs, subnets and security groups, which must exist where a job or a build is put into them (interfaces.py)
and which the audit finds by their tags; rules, routes and gateways are only recorded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.passive_type import PassiveType
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client


@dataclass(kw_only=True)
class NetworkPart:
    type: str
    create_: Callable[[Any, Properties], str]  # the physical id
    delete_: Callable[[Any, str], object]
    missing: str  # the error code of what is gone already
    attributes_: Callable[[Any, str], dict[str, str]] = lambda _client, _id: {}
    # What may change without an effect here.
    recorded: frozenset[str] = frozenset()

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        ec2 = client(account, "ec2")
        physical_id = self.create_(ec2, {"GroupName": logical_id, **properties})
        if tags := properties.get("Tags"):
            ec2.create_tags(Resources=[physical_id], Tags=tags)
        return physical_id

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return self.attributes_(client(account, "ec2"), physical_id)

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        changed = {key for key in properties.keys() | old.keys() if properties.get(key) != old.get(key)}
        if unsupported := sorted(changed - self.recorded):
            raise validation_error(
                f"The local AWS does not support changing {', '.join(unsupported)} of {self.type}."
            )
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        try:
            self.delete_(client(account, "ec2"), physical_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != self.missing:
                raise


def _vpc(ec2: Any, properties: Properties) -> str:
    return str(ec2.create_vpc(CidrBlock=properties["CidrBlock"])["Vpc"]["VpcId"])


def _subnet(ec2: Any, properties: Properties) -> str:
    request = {key: properties[key] for key in ("VpcId", "CidrBlock", "AvailabilityZone")}
    return str(ec2.create_subnet(**request)["Subnet"]["SubnetId"])


def _security_group(ec2: Any, properties: Properties) -> str:
    return str(
        ec2.create_security_group(
            GroupName=properties["GroupName"],
            Description=properties["GroupDescription"],
            VpcId=properties["VpcId"],
        )["GroupId"]
    )


RESOURCES: list[Resource] = [
    NetworkPart(
        type="AWS::EC2::VPC",
        create_=_vpc,
        delete_=lambda ec2, id_: ec2.delete_vpc(VpcId=id_),
        attributes_=lambda _, id_: {"VpcId": id_},
        missing="InvalidVpcID.NotFound",
        recorded=frozenset({"EnableDnsHostnames", "EnableDnsSupport"}),
    ),
    NetworkPart(
        type="AWS::EC2::Subnet",
        create_=_subnet,
        delete_=lambda ec2, id_: ec2.delete_subnet(SubnetId=id_),
        attributes_=lambda _, id_: {"SubnetId": id_},
        missing="InvalidSubnetID.NotFound",
        recorded=frozenset({"MapPublicIpOnLaunch"}),
    ),
    NetworkPart(
        type="AWS::EC2::SecurityGroup",
        create_=_security_group,
        delete_=lambda ec2, id_: ec2.delete_security_group(GroupId=id_),
        attributes_=lambda _, id_: {"GroupId": id_, "Id": id_},
        missing="InvalidGroup.NotFound",
        recorded=frozenset({"SecurityGroupEgress", "SecurityGroupIngress"}),
    ),
    PassiveType(
        type="AWS::EC2::InternetGateway",
        ref="igw-{hex}",
        attribute_values={"InternetGatewayId": "{ref}"},
    ),
    PassiveType(type="AWS::EC2::VPCGatewayAttachment", ref="IGW|{VpcId}"),
    PassiveType(
        type="AWS::EC2::EIP",
        ref="eip-{hex}",  # on AWS the address
        attribute_values={"AllocationId": "eipalloc-{hex}", "PublicIp": "{ref}"},
    ),
    PassiveType(type="AWS::EC2::NatGateway", ref="nat-{hex}", attribute_values={"NatGatewayId": "{ref}"}),
    PassiveType(type="AWS::EC2::RouteTable", ref="rtb-{hex}", attribute_values={"RouteTableId": "{ref}"}),
    PassiveType(type="AWS::EC2::SubnetRouteTableAssociation", ref="rtbassoc-{hex}"),
    PassiveType(type="AWS::EC2::Route", ref="{RouteTableId}|{DestinationCidrBlock}"),
    PassiveType(type="AWS::EC2::SecurityGroupIngress", ref="sgr-{hex}", attribute_values={"Id": "{ref}"}),
    PassiveType(type="AWS::EC2::SecurityGroupEgress", ref="sgr-{hex}", attribute_values={"Id": "{ref}"}),
    PassiveType(type="AWS::EC2::FlowLog", ref="fl-{hex}", attribute_values={"Id": "{ref}"}),
    PassiveType(type="AWS::EC2::VPCEndpoint", ref="vpce-{hex}", attribute_values={"Id": "{ref}"}),
]
