from pathlib import Path

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from constructs import Construct

from stacks.acknowledgements import acknowledge
from stacks.network import Network

NAME = "mlflow"
_ROOTS = Path(__file__).parent / "rds_roots"
_PORT = ec2.Port.tcp(5432)
_MASTER = "mlflow"


class MlflowDatabase(Construct):
    """PostgreSQL for MLflow. RDS keeps the password in Secrets Manager and changes it every seven days."""

    def __init__(
        self, scope: Construct, id: str, *, network: Network, key: kms.IKey | None, is_kept: bool
    ) -> None:
        super().__init__(scope, id)
        self._group = ec2.SecurityGroup(
            self, "Group", vpc=network.vpc, description="Database of MLflow", allow_all_outbound=False
        )
        subnets = rds.CfnDBSubnetGroup(
            self,
            "Subnets",
            db_subnet_group_description="Private subnets of the factory",
            subnet_ids=[subnet.subnet_id for subnet in network.subnets],
        )
        key_arn = key.key_arn if key else None
        self._instance = rds.CfnDBInstance(
            self,
            "Instance",
            engine="postgres",
            ca_certificate_identifier="rds-ca-rsa2048-g1",
            engine_version="17.10",
            db_instance_class="db.t4g.micro",
            db_name=NAME,
            allocated_storage="20",
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=key_arn,
            master_username=_MASTER,
            manage_master_user_password=True,
            master_user_secret=rds.CfnDBInstance.MasterUserSecretProperty(kms_key_id=key_arn)
            if key
            else None,
            db_subnet_group_name=subnets.ref,
            vpc_security_groups=[self._group.security_group_id],
            publicly_accessible=False,
            multi_az=is_kept,
            backup_retention_period=7,
            delete_automated_backups=not is_kept,
            copy_tags_to_snapshot=True,
            auto_minor_version_upgrade=True,
        )
        acknowledge(
            self._instance,
            "AwsSolutions-RDS11",
            reason="Only the server's security group reaches the database: another port would hide nothing",
        )
        acknowledge(
            self._instance,
            "AwsSolutions-RDS10",
            reason="Stage prod protects the whole stack and leaves a last snapshot; stage dev leaves nothing",
        )
        if not is_kept:
            reason = "In stage dev training may wait while a zone is out; stage prod has two zones"
            acknowledge(self._instance, "AwsSolutions-RDS3", reason=reason)
        # A kept instance would keep the network from being deleted; a snapshot keeps what is in it.
        self._instance.apply_removal_policy(RemovalPolicy.SNAPSHOT if is_kept else RemovalPolicy.DESTROY)

    @property
    def host(self) -> str:
        return self._instance.attr_endpoint_address

    @property
    def secret_arn(self) -> str:
        return self._instance.attr_master_user_secret_secret_arn

    @property
    def root_certificate(self) -> str | None:
        """The certificate of the authority that signs the database's, in PEM; None for regions whose is not at hand."""
        file = _ROOTS / f"{Stack.of(self).region}.pem"
        return file.read_text() if file.is_file() else None

    def allow_from(self, client: ec2.IConnectable) -> None:
        self._group.connections.allow_from(client, _PORT)
