"""Checks before a service puts a container into a VPC: its parts exist, and the role may attach interfaces."""

from moto.ec2.models import ec2_backends

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.core.identity import ACCOUNT_ID, Credentials
from localaws.services.iam.authorization import authorize_session


def require_interfaces(
    account: Account, credentials: Credentials, subnets: list[str], groups: list[str], service: str
) -> None:
    """Raise ServiceError unless a role may let the service attach interfaces there."""
    ec2 = ec2_backends[ACCOUNT_ID][account.region]
    known_subnets = {subnet.id for subnet in ec2.describe_subnets()}
    known_groups = {group.id for group in ec2.describe_security_groups()}
    unknown = [found for found in subnets if found not in known_subnets]
    unknown += [found for found in groups if found not in known_groups]
    if unknown:
        raise ServiceError("ValidationException", f"There is no such subnet or security group: {unknown}.")
    interface = account.arn("ec2", "network-interface/*")
    for resource in (
        interface,
        *(account.arn("ec2", f"subnet/{subnet}") for subnet in subnets),
        *(account.arn("ec2", f"security-group/{group}") for group in groups),
    ):
        authorize_session(credentials, "ec2:CreateNetworkInterface", resource)
    context = {"ec2:authorizedservice": [service]}
    authorize_session(credentials, "ec2:CreateNetworkInterfacePermission", interface, context)
    for what in ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs"):
        authorize_session(credentials, f"ec2:Describe{what}", "*")
