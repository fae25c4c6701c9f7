"""Templates, and stacks that are created, updated, rolled back and deleted through the API."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.core.errors import ServiceError
from localaws.services.cloudformation.parameters import resolve_parameters
from localaws.services.cloudformation.references import in_dependency_order, references
from localaws.services.cloudformation.template import Resolver, read_template
from tests.services.cloudformation.stack import Stack

VALUES = {"AWS::Region": "us-east-1", "Name": "digits", "List": ["a", "b"]}


def resolve(value: Any, template: dict[str, Any] | None = None) -> Any:
    return Resolver(template or {}, VALUES, lambda name, attribute: f"{name}/{attribute}").resolve(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Name"}, "digits"),
        ({"Fn::GetAtt": ["Role", "Arn"]}, "Role/Arn"),
        ({"Fn::GetAtt": "Nested.Outputs.Url"}, "Nested/Outputs.Url"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Name"}, 1, True]]}, "a-digits-1-true"),
        ({"Fn::Join": ["-", {"Ref": "List"}]}, "a-b"),
        ({"Fn::Sub": "${Name}.${Role.Arn}.${!Literal}"}, "digits.Role/Arn.${Literal}"),
        ({"Fn::Sub": ["${x}-${Name}", {"x": {"Ref": "AWS::Region"}}]}, "us-east-1-digits"),
        ({"Fn::Select": [1, {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"Fn::Base64": "ab"}, "YWI="),
        ({"Fn::ToJsonString": {"a": {"Ref": "Name"}}}, '{"a":"digits"}'),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
        ({"Fn::If": ["Big", "large", "small"]}, "large"),
        ({"Fn::FindInMap": ["Sizes", "cpu", "small"]}, "ml.t3"),
    ],
)
def test_intrinsic_functions(value: Any, expected: Any) -> None:
    template = {
        "Conditions": {"Big": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Name"}, "iris"]}]}},
        "Mappings": {"Sizes": {"cpu": {"small": "ml.t3"}}},
    }
    assert resolve(value, template) == expected


def test_what_cannot_be_resolved_is_named() -> None:
    with pytest.raises(ServiceError, match="Fn::Cidr"):
        resolve({"Fn::Cidr": ["10.0.0.0/16", 1]})
    with pytest.raises(ServiceError, match="Nowhere"):
        resolve({"Ref": "Nowhere"})


def test_yaml_keeps_dates_and_short_tags() -> None:
    text = """
    Resources:
      P:
        Type: AWS::S3::BucketPolicy
        Properties: {Version: 2012-10-17, Bucket: !Ref B, Arn: !GetAtt B.Arn, Path: !Sub "${B}/x"}
    """
    properties = read_template(text)["Resources"]["P"]["Properties"]
    assert properties["Version"] == "2012-10-17"
    assert properties["Arn"] == {"Fn::GetAtt": ["B", "Arn"]}
    assert set(references(properties)) == {"B"}


def test_a_template_of_more_bytes_than_cloudformation_takes_is_refused() -> None:
    with pytest.raises(ServiceError, match=r"Template may not exceed 1000000 bytes in size\."):
        read_template(" " * 1_000_001)


def test_resources_come_after_what_they_need() -> None:
    template: dict[str, Any] = {
        "Resources": {
            "A": {"Type": "X", "Properties": {"b": {"Fn::Sub": "${B.Arn}"}}},
            "B": {"Type": "X", "DependsOn": "C"},
            "C": {"Type": "X"},
        }
    }
    assert in_dependency_order(template) == ["C", "B", "A"]
    template["Resources"]["C"]["DependsOn"] = ["A"]
    with pytest.raises(ServiceError, match="Circular dependency"):
        in_dependency_order(template)


def test_parameters() -> None:
    template: dict[str, Any] = {
        "Parameters": {
            "Version": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/version"},
            "Names": {"Type": "CommaDelimitedList"},
            "Size": {"Type": "String", "Default": "s", "AllowedValues": ["s", "m"]},
        }
    }
    values = resolve_parameters(template["Parameters"], {"Names": "a,b"}, lambda name: f"value of {name}")
    assert values == {"Version": "value of /version", "Names": ["a", "b"], "Size": "s"}
    with pytest.raises(ServiceError, match="Names"):
        resolve_parameters(template["Parameters"], {}, str)
    with pytest.raises(ServiceError, match="must be one of"):
        resolve_parameters(template["Parameters"], {"Names": "a", "Size": "xl"}, str)


def test_a_custom_resource_lives_through_its_function(stack: Stack) -> None:
    outputs = {"Outputs": {"Seen": {"Value": {"Fn::GetAtt": ["Thing", "Seen"]}}}}
    assert stack.deploy(stack.template(**stack.custom(1)) | outputs) == "CREATE_COMPLETE", stack.failures()
    assert stack.describe()["Outputs"][0]["OutputValue"] == "Create 1"
    assert stack.deploy(stack.template(**stack.custom(2)) | outputs) == "UPDATE_COMPLETE", stack.failures()
    assert stack.describe()["Outputs"][0]["OutputValue"] == "Update 2"
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_failed_creation_leaves_nothing(stack: Stack) -> None:
    assert stack.deploy(stack.template(**stack.custom(1, Fail=True))) == "ROLLBACK_COMPLETE"
    assert "told to fail" in stack.failures()["Thing"]
    assert stack.resources() == set()
    buckets = stack.account.client("s3").list_buckets()["Buckets"]
    assert f"{stack.name}-data" not in {bucket["Name"] for bucket in buckets}


@pytest.mark.parametrize(
    ("body", "reason"), [("{no json", "it is no JSON"), ("[1]", "it has no list of widgets")]
)
def test_a_dashboard_without_widgets_is_refused(stack: Stack, body: str, reason: str) -> None:
    board = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": body}}
    assert stack.deploy(stack.template(Board=board)) == "ROLLBACK_COMPLETE"
    assert f"The dashboard body is invalid: {reason}" in stack.failures()["Board"]


def test_a_topic_with_too_long_a_display_name_is_refused(stack: Stack) -> None:
    topic: dict[str, Any] = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "x" * 101}}
    assert stack.deploy(stack.template(Topic=topic)) == "ROLLBACK_COMPLETE"
    assert "Invalid parameter: Attributes Reason: DisplayName" in stack.failures()["Topic"]


def test_a_failed_update_goes_back(stack: Stack) -> None:
    stack.deploy(stack.template(**stack.custom(1)))
    extra = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{stack.name}"}}
    status = stack.deploy(stack.template(Extra=extra, **stack.custom(2, Fail=True)))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.resources() == {"Bucket", "Role", "Function", "Thing"}
    groups = stack.account.client("logs").describe_log_groups(logGroupNamePrefix=f"/{stack.name}")[
        "logGroups"
    ]
    assert groups == []


def test_deletion_stops_at_a_bucket_with_objects_and_keeps_what_is_retained(stack: Stack) -> None:
    group = {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Retain",
        "Properties": {"LogGroupName": f"/{stack.name}/kept", "RetentionInDays": "7"},
    }
    assert stack.deploy(stack.template(Group=group)) == "CREATE_COMPLETE", stack.failures()
    s3, bucket = stack.account.client("s3"), f"{stack.name}-data"
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert stack.delete() == "DELETE_FAILED"
    assert "BucketNotEmpty" in stack.failures()["Bucket"]
    s3.delete_object(Bucket=bucket, Key="k")
    assert stack.delete() == "DELETE_COMPLETE"
    groups = stack.account.client("logs").describe_log_groups(logGroupNamePrefix=f"/{stack.name}/")[
        "logGroups"
    ]
    assert [found["retentionInDays"] for found in groups] == [7]


def test_an_unsupported_type_or_property_is_named(stack: Stack) -> None:
    with pytest.raises(ClientError, match="AWS::Lex::Bot"):
        stack.deploy(stack.template(Bot={"Type": "AWS::Lex::Bot"}))
    encrypted = {
        "Type": "AWS::CodeCommit::Repository",
        "Properties": {"RepositoryName": "r", "KmsKeyId": "k"},
    }
    assert stack.deploy(stack.template(Repository=encrypted)) == "ROLLBACK_COMPLETE"
    assert "KmsKeyId of AWS::CodeCommit::Repository" in stack.failures()["Repository"]


def test_a_change_set_without_changes_fails_as_on_aws(stack: Stack) -> None:
    stack.deploy(stack.template())
    stack.api.create_change_set(
        StackName=stack.name, ChangeSetName="same", TemplateBody=json.dumps(stack.template())
    )
    described = stack.api.describe_change_set(StackName=stack.name, ChangeSetName="same")
    assert described["Status"] == "FAILED"
    assert "didn't contain changes" in described["StatusReason"]
