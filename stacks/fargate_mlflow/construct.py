from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as cloudwatch_logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.acknowledgements import acknowledge
from stacks.context import FactoryContext
from stacks.fargate_mlflow.database import NAME, MlflowDatabase
from stacks.logs import log_group
from stacks.names import FactoryNames
from stacks.network import Network
from stacks.permissions import allow, grant_image, grant_write_logs, service_role

_START = Path(__file__).parent / "server" / "start.py"
_PORT = 5000
_HTTP = ec2.Port.tcp(80)
# Asks the database: a server whose password was changed under it answers 500, and is replaced by one that
# starts with the new password.
_HEALTH = "/api/2.0/mlflow/experiments/get?experiment_id=0"


class FargateMlflow(Construct):
    """MLflow in a container of our own, behind a load balancer that only the private subnets reach.

    It has no users: security groups decide which clients reach it, by HTTP within the VPC.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: FactoryContext,
        image: str,
        artifact_store_uri: str,
        role: iam.Role,
    ) -> None:
        super().__init__(scope, id)
        config, names, key, network = context.config, context.names, context.key, context.network
        assert network is not None, "the settings ask for a network"
        database = MlflowDatabase(
            self, "Database", network=network, key=key, is_kept=config.keeps_data_on_destroy
        )
        logs = log_group(
            self,
            "Logs",
            name=f"/aws/ecs/{names.mlflow_service}",
            retention_days=config.retention.log_days,
            key=key,
        )
        start_role = self._start_role(context, image, logs, database)
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            family=names.mlflow_service,
            cpu=1024,
            memory_limit_mib=2048,
            task_role=role.without_policy_updates(),
            execution_role=start_role.without_policy_updates(),
        )
        task.node.add_dependency(start_role, role)
        self._add_container(task, image, database, artifact_store_uri, logs)
        service = self._service(names, network, task)
        database.allow_from(service)
        if network.endpoints:
            network.endpoints.connections.allow_from(service, ec2.Port.tcp(443))
        self.tracking_uri = f"http://{self._balancer(names, network, service)}"

    def _start_role(
        self, context: FactoryContext, image: str, logs: cloudwatch_logs.LogGroup, database: MlflowDatabase
    ) -> iam.Role:
        """The role with which ECS pulls the image, reads the password and writes logs."""
        role = service_role(self, "StartRole", "ecs-tasks.amazonaws.com", "Starts the container of MLflow")
        grant_write_logs(role, logs)
        grant_image(role, self, image)
        allow(role, "ReadPassword", ["secretsmanager:GetSecretValue"], [database.secret_arn])
        if context.key:
            through_secrets = f"secretsmanager.{context.names.region}.amazonaws.com"
            condition = {"StringEquals": {"kms:ViaService": through_secrets}}
            allow(role, "DecryptPassword", ["kms:Decrypt"], [context.key.key_arn], condition)
        return role

    def _add_container(
        self,
        task: ecs.FargateTaskDefinition,
        image: str,
        database: MlflowDatabase,
        artifact_store_uri: str,
        logs: cloudwatch_logs.LogGroup,
    ) -> None:
        secret = secretsmanager.Secret.from_secret_complete_arn(self, "Secret", database.secret_arn)
        task.add_container(
            "mlflow",
            image=ecs.ContainerImage.from_registry(image),
            entry_point=["python", "-c", _START.read_text()],
            environment={
                "DATABASE_HOST": database.host,
                "DATABASE_NAME": NAME,
                **({"DATABASE_ROOT_CERTIFICATE": root} if (root := database.root_certificate) else {}),
                "ARTIFACT_ROOT": artifact_store_uri,
                "AWS_DEFAULT_REGION": Stack.of(self).region,
                "MLFLOW_DISABLE_TELEMETRY": "true",
            },
            secrets={
                "DATABASE_USER": ecs.Secret.from_secrets_manager(secret, "username"),
                "DATABASE_PASSWORD": ecs.Secret.from_secrets_manager(secret, "password"),
            },
            port_mappings=[ecs.PortMapping(container_port=_PORT)],
            logging=ecs.LogDrivers.aws_logs(log_group=logs, stream_prefix="mlflow"),
        )
        acknowledge(
            task,
            "AwsSolutions-ECS2",
            reason="The variables hold addresses; user and password come from Secrets Manager",
        )

    def _service(
        self, names: FactoryNames, network: Network, task: ecs.FargateTaskDefinition
    ) -> ecs.FargateService:
        group = ec2.SecurityGroup(
            self, "Group", vpc=network.vpc, description="Server of MLflow", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS services and the image registry")
        cluster = ecs.Cluster(self, "Cluster", vpc=network.vpc, cluster_name=names.mlflow_service)
        acknowledge(
            cluster,
            "AwsSolutions-ECS4",
            reason="One task, which its health check replaces: the billed metrics of Insights would be unread",
        )
        return ecs.FargateService(
            self,
            "Service",
            service_name=names.mlflow_service,
            cluster=cluster,
            task_definition=task,
            desired_count=1,
            # One at a time: an older server must not run on a newer one's schema.
            min_healthy_percent=0,
            max_healthy_percent=100,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            health_check_grace_period=Duration.minutes(5),
            assign_public_ip=False,
            security_groups=[group],
            vpc_subnets=ec2.SubnetSelection(subnets=network.subnets),
        )

    def _balancer(self, names: FactoryNames, network: Network, service: ecs.FargateService) -> str:
        """Return the address of the load balancer, which builds and jobs use."""
        group = ec2.SecurityGroup(
            self, "BalancerGroup", vpc=network.vpc, description="Address of MLflow", allow_all_outbound=False
        )
        for client in (network.jobs, network.builds):
            group.connections.allow_from(client, _HTTP)
        balancer = elbv2.ApplicationLoadBalancer(
            self,
            "Balancer",
            load_balancer_name=names.mlflow_service,
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnets=network.subnets),
            internet_facing=False,
            security_group=group,
            drop_invalid_header_fields=True,
        )
        acknowledge(
            balancer,
            "AwsSolutions-ELB2",
            reason="The server logs each request itself; its clients are the factory's own jobs and builds",
        )
        listener = balancer.add_listener("Http", port=80, open=False)
        listener.add_targets(
            "Server",
            port=_PORT,
            protocol=elbv2.ApplicationProtocol.HTTP,
            targets=[service],
            deregistration_delay=Duration.seconds(10),
            health_check=elbv2.HealthCheck(
                path=_HEALTH, interval=Duration.seconds(30), timeout=Duration.seconds(10)
            ),
        )
        return balancer.load_balancer_dns_name
