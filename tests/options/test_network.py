"""`network`: builds and jobs in private subnets of a VPC, made or described by settings."""

import json
from typing import Any

import pytest

from stacks.settings.context import read_config
from stacks.settings.errors import SettingError
from tests.options.test_encryption import job_requests
from tests.stacks.configurations import EXISTING_NETWORK as EXISTING
from tests.stacks.synthesis import Synthesise, Synthesised, configured
from tests.stacks.wildcards import items


@pytest.fixture(scope="session", params=["own", "existing"])
def networked(synthesise: Synthesise, request: pytest.FixtureRequest) -> Synthesised:
    return synthesise({"network.type": "own"} if request.param == "own" else EXISTING)


@pytest.fixture(scope="session")
def own(synthesise: Synthesise) -> Synthesised:
    return synthesise({"network.type": "own"})


def groups(factory: Synthesised) -> dict[str, dict[str, Any]]:
    """Security groups by the word that their description starts with."""
    found = factory.of_type("AWS::EC2::SecurityGroup").items()
    return {
        str(group["Properties"]["GroupDescription"]).split()[0]: {
            "Id": f"{key}.GroupId",
            **group["Properties"],
        }
        for key, group in found
    }


def private_subnets(factory: Synthesised) -> list[str]:
    subnets = factory.of_type("AWS::EC2::Subnet").items()
    made = [key for key, subnet in subnets if not subnet["Properties"]["MapPublicIpOnLaunch"]]
    return made or list(EXISTING["network.private_subnet_ids"])


def test_the_default_has_no_network(factory: Synthesised) -> None:
    assert not [found for found in factory.resources.values() if found["Type"].startswith("AWS::EC2::")]
    assert "VpcConfig" not in json.dumps(factory.resources)


def test_every_build_runs_in_the_private_subnets(networked: Synthesised) -> None:
    projects = networked.of_type("AWS::CodeBuild::Project").values()
    assert len(projects) == 3
    for project in projects:
        vpc = project["Properties"]["VpcConfig"]
        assert vpc["Subnets"] == private_subnets(networked)
        assert vpc["SecurityGroupIds"] == [groups(networked)["Builds"]["Id"]]


def test_every_job_runs_in_the_private_subnets(networked: Synthesised) -> None:
    body = networked.only("AWS::SageMaker::Pipeline")["Properties"]["PipelineDefinition"][
        "PipelineDefinitionBody"
    ]
    jobs = list(job_requests(json.loads(body)["Steps"]))
    assert len(jobs) == 4
    for job in jobs:
        vpc = job.get("NetworkConfig", job)["VpcConfig"]
        assert vpc == {
            "Subnets": private_subnets(networked),
            "SecurityGroupIds": [groups(networked)["Jobs"]["Id"]],
        }


def test_security_groups_let_nobody_in_and_https_out(networked: Synthesised) -> None:
    for name in ("Jobs", "Builds", "Transform"):
        group = groups(networked)[name]
        assert "SecurityGroupIngress" not in group
        (egress,) = group["SecurityGroupEgress"]
        assert (egress["IpProtocol"], egress["FromPort"], egress["ToPort"]) == ("tcp", 443, 443)
    opened = networked.of_type("AWS::EC2::SecurityGroupIngress").values()
    for rule in opened:
        assert rule["Properties"]["SourceSecurityGroupId"] in {
            group["Id"] for group in groups(networked).values()
        }


def test_services_may_attach_interfaces_to_these_subnets_only(networked: Synthesised) -> None:
    statements = [
        (policy, each) for policy, each in networked.statements() if each.get("Sid") == "MakeInterfaces"
    ]
    assert {policy.split("Role")[0] for policy, _ in statements} == {
        "Batch",
        "DeliveryBuild",
        "DeliveryDeployproduction",
        "DeliveryDeploystaging",
        "TrainingJob",
    }
    for _, statement in statements:
        found = {resource.rpartition("/")[2] for resource in statement["Resource"] if ":subnet/" in resource}
        assert found == set(private_subnets(networked))


def test_a_service_may_take_back_what_it_was_lent(networked: Synthesised) -> None:
    """EC2 knows ec2:AuthorizedService of the permission's creation only: under that condition nothing is ever deleted."""
    taken_back = [
        (policy, each)
        for policy, each in networked.statements()
        if "ec2:DeleteNetworkInterfacePermission" in items(each["Action"])
    ]
    made = [policy for policy, each in networked.statements() if each.get("Sid") == "LendInterfaces"]
    assert [policy for policy, _ in taken_back] == made
    assert not [each for _, each in taken_back if "Condition" in each]


def test_an_own_vpc_has_endpoints_and_one_way_out(own: Synthesised) -> None:
    assert len(own.of_type("AWS::EC2::NatGateway")) == 1
    endpoints = [endpoint["Properties"] for endpoint in own.of_type("AWS::EC2::VPCEndpoint").values()]
    kinds = sorted(endpoint["VpcEndpointType"] for endpoint in endpoints)
    assert kinds == ["Gateway", "Interface", "Interface", "Interface"]
    for endpoint in endpoints:
        if endpoint["VpcEndpointType"] == "Interface":
            assert endpoint["SubnetIds"] == private_subnets(own)
            assert endpoint["SecurityGroupIds"] == [groups(own)["AWS"]["Id"]]


def test_an_existing_vpc_gets_security_groups_and_nothing_else(synthesise: Synthesise) -> None:
    made = {found["Type"] for found in synthesise(EXISTING).resources.values()}
    assert {type_ for type_ in made if type_.startswith("AWS::EC2::")} == {"AWS::EC2::SecurityGroup"}


@pytest.mark.parametrize("settings", [{"network.type": "own"}, EXISTING])
def test_a_synthesis_asks_the_account_nothing(synthesise: Synthesise, settings: dict[str, Any]) -> None:
    manifest = json.loads((synthesise(settings).directory / "manifest.json").read_text())
    assert "missing" not in manifest


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"network.type": "existing"}, "vpc_id is missing, allowed is the id of a VPC"),
        (
            {"network.vpc_id": "vpc-0a1b2c3d"},
            "vpc_id is 'vpc-0a1b2c3d', allowed is one of the settings of network: type",
        ),
        (
            {**EXISTING, "network.availability_zones": ("eu-central-1a",)},
            "a list of different names such as eu-central-1a, one for each private subnet",
        ),
        ({**EXISTING, "network.vpc_id": "my-vpc"}, "allowed is the id of a VPC"),
        (
            {**EXISTING, "network.private_subnet_ids": ("subnet-0a1b2c3d",) * 2},
            "a list of at least 2 different ids",
        ),
    ],
)
def test_half_a_network_is_refused(settings: dict[str, Any], refused: str) -> None:
    with pytest.raises(SettingError, match=refused):
        configured(settings)


def test_lists_come_from_cdk_json_and_from_the_command_line() -> None:
    from_json = {
        key.removeprefix("network."): list(value) if isinstance(value, tuple) else value
        for key, value in EXISTING.items()
    }
    from_command_line = {
        f"factory.{key}": ",".join(value) if isinstance(value, tuple) else value
        for key, value in EXISTING.items()
    }
    assert read_config({"factory": {"network": from_json}}) == configured(EXISTING)
    assert read_config(from_command_line) == configured(EXISTING)


def test_clients_are_let_in_in_the_same_order_by_every_process(synthesise: Synthesise) -> None:
    factory = synthesise(
        {
            "network.type": "own",
            "production.type": "realtime",
            "production.instance_count": 1,
            "production.rollout.type": "all-at-once",
        }
    )
    rules = list(factory.of_type("AWS::EC2::SecurityGroupIngress"))
    clients = ["Jobs", "Builds", "Serving", "Transforms"]
    assert [next(name for name in clients if f"Network{name}" in rule) for rule in rules] == clients
