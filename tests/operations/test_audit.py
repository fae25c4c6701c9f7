import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from operations.audit import LISTINGS, belongs_to, left_of

if TYPE_CHECKING:
    from localaws.core.account import Account


@pytest.mark.parametrize(
    ("name", "others", "expected"),
    [
        ("digits", set(), True),
        ("digits-data-1", set(), True),
        ("/aws/codebuild/digits-build", set(), True),
        ("arn:aws:sns:us-east-1:1:digits-notifications", set(), True),
        ("alias/digits", set(), True),
        ("digitsx-data", set(), False),
        ("my-digits", set(), False),
        ("digits-eu-data-1", {"digits-eu"}, False),
        ("digits-eu", {"digits-eu"}, False),
        ("digits-europe", {"digits-eu"}, True),
        ("digits-data-1", {"digits-eu", "letters", "dig"}, True),
    ],
)
def test_whose_a_name_is(name: str, others: set[str], expected: bool) -> None:
    assert belongs_to("digits", name, others) is expected


def test_a_deleted_app_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    sagemaker = boto3.client("sagemaker", region_name="us-east-1")
    monkeypatch.setattr(boto3, "client", lambda _: sagemaker)
    summaries = [{"Name": "gone", "Status": "Deleted"}, {"Name": "here", "Status": "Created"}]
    (apps,) = (listing for listing in LISTINGS if listing.kind == "MLflow App")
    with Stubber(sagemaker) as stub:
        stub.add_response("list_mlflow_apps", {"Summaries": summaries})
        assert list(apps.names()) == ["here"]


def stack(factory: str) -> dict[str, object]:
    """One resource of each kind that needs no other."""
    tags = [{"Key": "model-factory", "Value": factory}]
    return {
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/aws/x/{factory}-build"}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"{factory}-told", "Tags": tags}},
        "Mail": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": "a@example.com"},
        },
        "Dashboard": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": f"{factory}-here", "DashboardBody": '{"widgets": []}'},
        },
        "Budget": {
            "Type": "AWS::Budgets::Budget",
            "Properties": {
                "Budget": {
                    "BudgetName": f"{factory}-here",
                    "BudgetType": "COST",
                    "TimeUnit": "MONTHLY",
                    "BudgetLimit": {"Amount": 1, "Unit": "USD"},
                }
            },
        },
    }


@pytest.fixture
def factories(account: "Account") -> Iterator[list[str]]:
    cloudformation = boto3.client("cloudformation")
    names = ["digits", "digits-eu"]
    for name in names:
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=json.dumps({"Resources": stack(name)}),
            Tags=[{"Key": "model-factory", "Value": name}],
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    yield names
    for name in names:
        delete(name)


def delete(name: str) -> None:
    cloudformation = boto3.client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


def expected(factory: str) -> set[str]:
    topic = f"arn:aws:sns:us-east-1:123456789012:{factory}-told"
    return {
        f"log group /aws/x/{factory}-build",
        f"topic {topic}",
        f"subscription {topic}",
        f"dashboard {factory}-here",
        f"budget {factory}-here",
        f"stack {factory}",
    }


def test_each_factory_is_listed_without_its_neighbour(account: "Account", factories: list[str]) -> None:
    for name in factories:
        assert set(left_of(name)) == expected(name)
    delete("digits")
    assert left_of("digits") == []
    assert set(left_of("digits-eu")) == expected("digits-eu")


def test_what_has_a_name_of_awss_own_is_found_by_its_tag(account: "Account") -> None:
    tags = [{"Key": "model-factory", "Value": "letters"}]
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])[
        "Vpc"
    ]["VpcId"]
    kms = boto3.client("kms")
    key = kms.create_key(Tags=[{"TagKey": "model-factory", "TagValue": "letters"}])["KeyMetadata"]
    found = left_of("letters")
    assert any(vpc in line for line in found)
    assert f"tagged {key['Arn']}" in found
    ec2.delete_vpc(VpcId=vpc)
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    assert left_of("letters") == []


def test_what_is_deleted_and_still_listed_by_its_tag_is_not_left(account: "Account") -> None:
    tags = [{"Key": "model-factory", "Value": "signs"}]
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_nat_gateway(
        SubnetId=subnet,
        ConnectivityType="private",
        TagSpecifications=[{"ResourceType": "natgateway", "Tags": tags}],
    )["NatGateway"]["NatGatewayId"]
    ecs = boto3.client("ecs")
    task_tags = [{"key": "model-factory", "value": "signs"}]
    ecs.create_cluster(clusterName="signs", tags=task_tags)
    task = ecs.register_task_definition(
        family="signs", containerDefinitions=[{"name": "x", "image": "x", "memory": 128}], tags=task_tags
    )["taskDefinition"]["taskDefinitionArn"]
    service = ecs.create_service(
        cluster="signs", serviceName="signs", taskDefinition=task, desiredCount=0, tags=task_tags
    )["service"]["serviceArn"]
    assert {line.rpartition("/")[2] for line in left_of("signs")} == {gateway, "signs", "signs:1"}
    assert f"tagged {service}" in left_of("signs")

    ec2.delete_nat_gateway(NatGatewayId=gateway)
    ecs.delete_service(cluster="signs", service="signs", force=True)
    ecs.deregister_task_definition(taskDefinition=task)
    ecs.delete_cluster(cluster="signs")
    assert left_of("signs") == []
