"""`mlflow=fargate`: a server of our own in the private subnets."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from cryptography import x509

from stacks.fargate_mlflow.server.start import database_uri, migrate
from stacks.settings.errors import SettingError
from tests.options.test_network import groups, private_subnets
from tests.stacks.configurations import EXISTING_NETWORK as EXISTING
from tests.stacks.configurations import MLFLOW_IMAGE
from tests.stacks.synthesis import Synthesise, Synthesised, configured

ROOTS = Path("stacks/fargate_mlflow/rds_roots")


@pytest.fixture(scope="session")
def fargate(synthesise: Synthesise) -> Synthesised:
    return synthesise({"network.type": "own", "mlflow.type": "fargate", "encryption": "customer"})


@pytest.fixture(scope="session")
def kept(synthesise: Synthesise) -> Synthesised:
    return synthesise({**EXISTING, "mlflow.type": "fargate", "stage": "prod", "mlflow.image": MLFLOW_IMAGE})


def container(factory: Synthesised) -> dict[str, Any]:
    (found,) = factory.only("AWS::ECS::TaskDefinition")["Properties"]["ContainerDefinitions"]
    return dict(found)


def openings(factory: Synthesised) -> set[tuple[str, str, int]]:
    """Who may reach whom at which port."""
    names = {group["Id"]: name for name, group in groups(factory).items()}
    rules = [rule["Properties"] for rule in factory.of_type("AWS::EC2::SecurityGroupIngress").values()]
    return {(names[rule["SourceSecurityGroupId"]], names[rule["GroupId"]], rule["ToPort"]) for rule in rules}


def test_nothing_is_reached_from_the_internet(fargate: Synthesised) -> None:
    assert fargate.only("AWS::ElasticLoadBalancingV2::LoadBalancer")["Properties"]["Scheme"] == "internal"
    network = fargate.only("AWS::ECS::Service")["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    assert network["Subnets"] == private_subnets(fargate)
    assert fargate.only("AWS::RDS::DBInstance")["Properties"]["PubliclyAccessible"] is False
    assert fargate.only("AWS::RDS::DBSubnetGroup")["Properties"]["SubnetIds"] == private_subnets(fargate)
    assert not [group for group in groups(fargate).values() if "SecurityGroupIngress" in group]


def test_each_reaches_only_what_it_needs(fargate: Synthesised) -> None:
    """MLflow has no users: what scores strangers' rows is not let in."""
    assert openings(fargate) == {
        ("Jobs", "Address", 80),
        ("Builds", "Address", 80),
        ("Address", "Server", 5000),
        ("Server", "Database", 5432),
        ("Jobs", "AWS", 443),
        ("Builds", "AWS", 443),
        ("Server", "AWS", 443),
        ("Transform", "AWS", 443),
    }


def test_the_password_is_in_secrets_manager_and_rds_changes_it(fargate: Synthesised) -> None:
    database = fargate.only("AWS::RDS::DBInstance")["Properties"]
    (key,) = fargate.of_type("AWS::KMS::Key")
    assert database["ManageMasterUserPassword"] is True
    assert database["MasterUserSecret"] == {"KmsKeyId": f"{key}.Arn"}
    assert (database["StorageEncrypted"], database["KmsKeyId"]) == (True, f"{key}.Arn")
    assert "MasterUserPassword" not in database
    secrets = {secret["Name"]: secret["ValueFrom"] for secret in container(fargate)["Secrets"]}
    (id_,) = fargate.of_type("AWS::RDS::DBInstance")
    assert secrets == {
        "DATABASE_USER": f"{id_}.MasterUserSecret.SecretArn:username::",
        "DATABASE_PASSWORD": f"{id_}.MasterUserSecret.SecretArn:password::",
    }


def test_jobs_and_builds_find_the_server_by_its_address(fargate: Synthesised) -> None:
    (balancer,) = fargate.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer")
    uri = f"http://{balancer}.DNSName"
    assert fargate.outputs["MlflowTrackingUri"]["Value"] == uri
    body = fargate.only("AWS::SageMaker::Pipeline")["Properties"]["PipelineDefinition"][
        "PipelineDefinitionBody"
    ]
    assert json.loads(body)["Steps"][0]["Arguments"]["Environment"]["MLFLOW_TRACKING_URI"] == uri
    assert not [each for _, each in fargate.statements() if each.get("Sid") == "CallMlflow"]


def test_a_server_whose_password_was_changed_is_found_unhealthy(fargate: Synthesised) -> None:
    target = fargate.only("AWS::ElasticLoadBalancingV2::TargetGroup")["Properties"]
    assert target["HealthCheckPath"].startswith("/api/2.0/mlflow/experiments/get")  # /health asks no database


def test_a_new_version_starts_after_the_old_one_has_stopped(fargate: Synthesised) -> None:
    deployment = fargate.only("AWS::ECS::Service")["Properties"]["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (0, 100)
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_the_role_of_the_start_reads_one_secret_and_writes_one_log(fargate: Synthesised) -> None:
    found = [each for policy, each in fargate.statements() if "StartRole" in policy]
    assert {each["Sid"] for each in found} == {"WriteLogs", "ReadPassword", "DecryptPassword"}


def test_an_image_of_ecr_is_pulled_by_permission(kept: Synthesised) -> None:
    assert container(kept)["Image"] == MLFLOW_IMAGE
    (pull,) = [
        each for policy, each in kept.statements() if "StartRole" in policy and each["Sid"] == "PullImage"
    ]
    assert pull["Resource"] == "arn:aws:ecr:eu-central-1:123456789012:repository/mlflow"


def test_prod_keeps_a_snapshot_and_dev_nothing(fargate: Synthesised, kept: Synthesised) -> None:
    assert fargate.only("AWS::RDS::DBInstance")["DeletionPolicy"] == "Delete"
    assert kept.only("AWS::RDS::DBInstance")["DeletionPolicy"] == "Snapshot"
    assert kept.only("AWS::RDS::DBInstance")["Properties"]["MultiAZ"] is True


def test_a_server_without_a_network_is_refused() -> None:
    with pytest.raises(
        SettingError, match=r"mlflow\.type is 'fargate', allowed is app or tracking-server unless"
    ):
        configured({"mlflow.type": "fargate"})


@pytest.mark.parametrize("image", ["mlflow", "ghcr.io/mlflow/mlflow", "ghcr.io/mlflow/mlflow:latest-full"])
def test_an_image_without_a_version_is_refused(image: str) -> None:
    with pytest.raises(SettingError, match="an image with a version or digest"):
        configured({"mlflow.type": "fargate", "network.type": "own", "mlflow.image": image})


def test_a_password_may_hold_any_character() -> None:
    environment = {
        "DATABASE_USER": "mlflow",
        "DATABASE_PASSWORD": "a:b@c/d%e?",
        "DATABASE_HOST": "host",
        "DATABASE_NAME": "mlflow",
    }
    assert (
        database_uri(environment)
        == "postgresql://mlflow:a%3Ab%40c%2Fd%25e%3F@host:5432/mlflow?sslmode=require"
    )


def test_the_server_checks_that_it_is_the_database_that_answers(fargate: Synthesised) -> None:
    variables = {each["Name"]: each["Value"] for each in container(fargate)["Environment"]}
    certificate = x509.load_pem_x509_certificate(variables["DATABASE_ROOT_CERTIFICATE"].encode())
    assert "CN=Amazon RDS eu-central-1 Root CA RSA2048 G1" in certificate.subject.rfc4514_string()
    authority = fargate.only("AWS::RDS::DBInstance")["Properties"]["CACertificateIdentifier"]
    assert authority == "rds-ca-rsa2048-g1"
    credentials = {"DATABASE_USER": "u", "DATABASE_PASSWORD": "p"}
    uri = sqlalchemy.make_url(database_uri({**variables, **credentials}))
    assert uri.query["sslmode"] == "verify-full"
    assert Path(str(uri.query["sslrootcert"])).read_text() == variables["DATABASE_ROOT_CERTIFICATE"]


@pytest.mark.parametrize("file", sorted(ROOTS.iterdir()), ids=lambda file: file.stem)
def test_a_root_is_of_its_region_and_signs_itself(file: Path) -> None:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    name = certificate.subject.rfc4514_string()
    assert f"CN=Amazon RDS {file.stem} Root CA RSA2048 G1," in name
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_after_utc.year >= 2061


def test_a_failed_upgrade_of_the_database_does_not_print_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = tmp_path / "mlflow"
    command.write_text("#!/bin/sh\nexit 3\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    uri = f"sqlite:///{tmp_path}/secret-of-the-database"
    with sqlalchemy.create_engine(uri).begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE alembic_version (version_num TEXT)"))
    with pytest.raises(SystemExit) as ended:
        migrate(uri)
    assert str(ended.value) == "mlflow db upgrade ended with exit status 3"
    assert ended.value.__cause__ is None
