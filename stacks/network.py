from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.logs import log_group
from stacks.names import FactoryNames
from stacks.permissions import allow, arn, grant_write_logs, service_role
from stacks.settings.factory import FactoryConfig
from stacks.settings.infrastructure import ExistingNetwork

# Of an own VPC.
ZONES = 2
_HTTPS = ec2.Port.tcp(443)
_SERVICES = {
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "SageMaker": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_API,
    "SageMakerRuntime": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_RUNTIME,
    "TrackingServer": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_EXPERIMENTS,
    "Secrets": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
}


class Network(Construct):
    """Private subnets for builds, jobs and MLflow; nothing in them can be reached from outside.

    An own VPC has endpoints for the AWS services that are used most; a NAT gateway leads to the rest, such as
    the package index of builds. An existing one brings its own routes and endpoints.
    """

    def __init__(
        self, scope: Construct, id: str, *, config: FactoryConfig, names: FactoryNames, key: kms.IKey | None
    ) -> None:
        super().__init__(scope, id)
        network = config.network
        is_existing = isinstance(network, ExistingNetwork)
        self.vpc = self._existing(network) if isinstance(network, ExistingNetwork) else self._own()
        if not is_existing:
            self._log_flows(names, config.retention.log_days, key)
        self.subnets = self.vpc.private_subnets
        self.jobs = self._security_group("Jobs", "Jobs of the factory: no way in, HTTPS out")
        compute = config.compute
        if max(compute.preprocess.instance_count, compute.training.instance_count) > 1:
            self.jobs.connections.allow_internally(ec2.Port.all_tcp(), "Instances of one job")
        # Apart from jobs, whose group MLflow on Fargate lets in: they score strangers' rows.
        self.transforms = self._security_group(
            "Transforms", "Transform jobs of the factory: no way in, HTTPS out"
        )
        self.builds = self._security_group("Builds", "Builds of the factory: no way in, HTTPS out")
        # Serverless endpoints stay outside.
        self.serving = self.jobs
        if config.production.type == "realtime":
            self.serving = self._security_group("Serving", "Endpoints of the factory: no way in, HTTPS out")
        # Clients of AWS's services in the subnets must be let in here; none in an existing VPC.
        self.endpoints = None if is_existing else self._add_endpoints(config)

    def grant_interfaces(self, grantee: iam.IGrantable, service: str, group: ec2.ISecurityGroup) -> None:
        """Let `service` put its containers into the subnets with the role."""
        verbs = ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
        reason = "IAM has no resource for descriptions"
        allow(grantee, "DescribeNetwork", [f"ec2:Describe{verb}" for verb in verbs], ["*"], reason=reason)
        reason = "EC2 names interfaces; in which subnets they are made is limited"
        interfaces = arn(self, "ec2", "network-interface/*")
        subnets = [arn(self, "ec2", f"subnet/{subnet.subnet_id}") for subnet in self.subnets]
        group_arn = arn(self, "ec2", f"security-group/{group.security_group_id}")
        actions = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"]
        allow(grantee, "MakeInterfaces", actions, [interfaces, *subnets, group_arn], reason=reason)
        actions = ["ec2:CreateNetworkInterfacePermission"]
        condition = {"StringEquals": {"ec2:AuthorizedService": service}}
        allow(grantee, "LendInterfaces", actions, [interfaces], condition, reason=reason)
        # A request to delete names no service: it would never meet the condition.
        actions = ["ec2:DeleteNetworkInterfacePermission"]
        allow(grantee, "TakeInterfacesBack", actions, [interfaces], reason=reason)

    def _own(self) -> ec2.IVpc:
        return ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.0.0.0/16"),
            max_azs=ZONES,
            nat_gateways=1,
            restrict_default_security_group=False,  # would bring a function of CDK's
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24),
                ec2.SubnetConfiguration(
                    name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=20
                ),
            ],
        )

    def _log_flows(self, names: FactoryNames, retention_days: int, key: kms.IKey | None) -> None:
        logs = log_group(self, "Logs", name=names.flow_logs, retention_days=retention_days, key=key)
        role = service_role(self, "LogRole", "vpc-flow-logs.amazonaws.com", "Logs the VPC's connections")
        grant_write_logs(role, logs, finds_streams=True)
        flows = ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_id=self.vpc.vpc_id,
            resource_type="VPC",
            traffic_type="ALL",
            log_group_name=logs.log_group_name,
            deliver_logs_permission_arn=role.role_arn,
        )
        flows.node.add_dependency(role)

    def _existing(self, network: ExistingNetwork) -> ec2.IVpc:
        return ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=network.vpc_id,
            availability_zones=list(network.availability_zones),
            private_subnet_ids=list(network.private_subnet_ids),
        )

    def _security_group(self, id: str, description: str) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(self, id, vpc=self.vpc, description=description, allow_all_outbound=False)
        group.add_egress_rule(ec2.Peer.any_ipv4(), _HTTPS, "AWS services and the package index")
        return group

    def _add_endpoints(self, config: FactoryConfig) -> ec2.SecurityGroup:
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        group = ec2.SecurityGroup(
            self, "Endpoints", vpc=self.vpc, description="AWS services", allow_all_outbound=False
        )
        # Each once; in this order, because that of a set changes from process to process.
        for client in dict.fromkeys((self.jobs, self.builds, self.serving, self.transforms)):
            group.add_ingress_rule(client, _HTTPS)
        unused = {"app": ("TrackingServer", "Secrets"), "tracking-server": ("Secrets",)}
        for name, service in _SERVICES.items():
            if name not in unused.get(config.mlflow.type, ("TrackingServer",)):
                self.vpc.add_interface_endpoint(
                    name,
                    service=service,
                    security_groups=[group],
                    open=False,
                    subnets=ec2.SubnetSelection(subnets=self.subnets),
                )
        return group
