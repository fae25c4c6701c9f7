"""What CloudFormation refuses by the schemas of its registry, and what a change of a property means."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cfnlint.schema._getatts import _all_property_types

from localaws.core.account import Account
from localaws.core.passive_type import PassiveType
from localaws.core.resource import RESOURCE_TYPES
from localaws.core.resource_schema import EVERY_PROPERTY_IS_AN_ATTRIBUTE, resource_schema
from localaws.services.cloudformation.resource_properties import must_replace
from tests.services.cloudformation.stack import TRUST, Stack

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/r"
PATTERN = "failed validation constraint for keyword [pattern]"
ENUM = "failed validation constraint for keyword [enum]"
BUILD: dict[str, Any] = {
    "Artifacts": {"Type": "NO_ARTIFACTS"},
    "Environment": {"ComputeType": "BUILD_GENERAL1_SMALL", "Image": "aws/codebuild/standard:7.0"},
    "ServiceRole": ROLE,
    "Source": {"Type": "NO_SOURCE"},
}
ALARM: dict[str, Any] = {
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "MetricName": "Errors",
    "Namespace": "Factory",
    "Period": 60,
    "Statistic": "Sum",
    "Threshold": 0,
}
FUNCTION: dict[str, Any] = {
    "Code": {"ZipFile": "x"},
    "Handler": "index.handler",
    "Role": ROLE,
    "Runtime": "python3.12",
}
APP = {"Name": "factory", "ArtifactStoreUri": "s3://bucket/mlflow", "RoleArn": ROLE}
GROUP = {"GroupDescription": "jobs", "VpcId": "vpc-1"}


def violations(resource_type: str, properties: dict[str, Any]) -> list[str]:
    schema = resource_schema(f"AWS::{resource_type}", REGION)
    assert schema is not None
    return schema.read(properties)[1]


@pytest.mark.parametrize(
    ("resource_type", "properties", "violation"),
    [
        ("S3::Bucket", {"BucketNam": "data"}, "#: extraneous key [BucketNam] is not permitted"),
        ("S3::Bucket", {"BucketName": "Bad_Name"}, f"#/BucketName: {PATTERN}"),
        ("S3::Bucket", {"BucketName": "b" * 64}, "#/BucketName: expected maxLength: 63, actual: 64"),
        (
            "S3::Bucket",
            {"VersioningConfiguration": {"Status": "On"}},
            f"#/VersioningConfiguration/Status: {ENUM}",
        ),
        ("S3::Bucket", {"Arn": "x"}, "#: extraneous key [Arn] is not permitted: it is read-only"),
        ("S3::Bucket", {"Tags": {"a": "b"}}, "#/Tags: expected type: JSONArray, found: JSONObject"),
        ("S3::Bucket", {"Tags": [{"Key": "a"}]}, "#/Tags/0: required key [Value] not found"),
        ("Logs::LogGroup", {"RetentionInDays": 31}, f"#/RetentionInDays: {ENUM}"),
        ("Logs::LogGroup", {"LogGroupName": "bad name!!"}, f"#/LogGroupName: {PATTERN}"),
        (
            "Logs::LogGroup",
            {"Tags": [{"Key": "a", "Value": "v" * 257}]},
            "#/Tags/0/Value: expected maxLength: 256, actual: 257",
        ),
        ("IAM::Role", {"RoleName": "r"}, "#: required key [AssumeRolePolicyDocument] not found"),
        (
            "IAM::Policy",
            {"PolicyName": "p", "PolicyDocument": {}},
            "#: no subschema matched out of the total 3",
        ),
        ("Lambda::Function", {**FUNCTION, "Runtime": "python2.0"}, f"#/Runtime: {ENUM}"),
        ("Lambda::Function", {**FUNCTION, "MemorySize": "64"}, "#/MemorySize: failed validation constraint"),
        (
            "Lambda::Function",
            {**FUNCTION, "Handler": ["a"]},
            "#/Handler: expected type: String, found: JSONArray",
        ),
        (
            "CodeBuild::Project",
            {**BUILD, "Environment": {}},
            "#/Environment: required key [ComputeType] not found",
        ),
        (
            "CodePipeline::Pipeline",
            {"RoleArn": ROLE, "Stages": [{}]},
            "#/Stages: expected minimum item count: 2",
        ),
        ("CloudWatch::Alarm", {**ALARM, "Statistic": "Total"}, f"#/Statistic: {ENUM}"),
        ("CloudWatch::Alarm", {**ALARM, "EvaluationPeriods": "one"}, "expected type: Integer, found: String"),
        ("CloudWatch::Alarm", {**ALARM, "ExtendedStatistic": "p99"}, "extraneous key [ExtendedStatistic]"),
        ("SageMaker::MlflowApp", {**APP, "Name": "a_b"}, f"#/Name: {PATTERN}"),
        ("SageMaker::MlflowApp", {**APP, "Status": "Created"}, "extraneous key [Status] is not permitted"),
        ("SageMaker::Pipeline", {"RoleArn": "r"}, "#/RoleArn: expected minLength: 20, actual: 1"),
        ("Events::Rule", {"State": "ON", "ScheduleExpression": "rate(1 day)"}, f"#/State: {ENUM}"),
        ("CodeCommit::Repository", {}, "#: required key [RepositoryName] not found"),
        ("SNS::TopicPolicy", {"PolicyDocument": {}, "Topics": "t"}, "#/Topics: expected type: JSONArray"),
        ("RDS::DBInstance", {"MasterUserSecret": {"SecretArn": "x"}}, "extraneous key [SecretArn]"),
        ("ECS::Service", {"LaunchType": "SERVERLESS"}, f"#/LaunchType: {ENUM}"),
        ("EC2::SecurityGroup", {"VpcId": "vpc-1"}, "#: required key [GroupDescription] not found"),
        ("KMS::Key", {"PendingWindowInDays": 3}, "#/PendingWindowInDays: failed validation constraint"),
        ("KMS::Alias", {"AliasName": "factory", "TargetKeyId": "k"}, f"#/AliasName: {PATTERN}"),
        (
            "Budgets::Budget",
            {"Budget": {"BudgetType": "COST"}},
            "#/Budget: required key [TimeUnit] not found",
        ),
    ],
)
def test_the_schema_refuses(resource_type: str, properties: dict[str, Any], violation: str) -> None:
    found = violations(resource_type, properties)
    assert any(violation in each for each in found), found


def test_scalars_become_what_the_schema_says() -> None:
    schema = resource_schema("AWS::Lambda::Function", REGION)
    assert schema is not None
    given = {
        "MemorySize": "256",
        "Timeout": 30,
        "Tags": [{"Key": "a", "Value": 5}, {"Key": "b", "Value": True}],
    }
    assert schema.read({**FUNCTION, **given}) == (
        {
            **FUNCTION,
            "MemorySize": 256,
            "Timeout": 30,
            "Tags": [{"Key": "a", "Value": "5"}, {"Key": "b", "Value": "true"}],
        },
        [],
    )
    assert violations("S3::Bucket", {"PublicAccessBlockConfiguration": {"BlockPublicAcls": "true"}}) == []


@pytest.mark.parametrize(
    ("resource_type", "old", "new", "replaced"),
    [
        ("Logs::LogGroup", {"LogGroupName": "a"}, {"LogGroupName": "b"}, True),
        ("Logs::LogGroup", {"RetentionInDays": 1}, {"RetentionInDays": 3}, False),
        ("IAM::Role", {}, {"Path": "/a/"}, True),
        ("SageMaker::MlflowApp", {"Name": "a", "RoleArn": "r"}, {"Name": "b", "RoleArn": "s"}, True),
        ("Budgets::Budget", {"Budget": {"BudgetName": "a"}}, {"Budget": {"BudgetName": "b"}}, True),
        ("EC2::SecurityGroup", GROUP, {**GROUP, "SecurityGroupIngress": []}, False),
        ("EC2::SecurityGroup", GROUP, {**GROUP, "GroupDescription": "builds"}, True),
        ("RDS::DBInstance", {"Engine": "postgres"}, {"Engine": "mysql"}, False),  # conditionally create-only
    ],
)
def test_what_is_given_at_creation_only_replaces(
    resource_type: str, old: dict[str, Any], new: dict[str, Any], replaced: bool
) -> None:
    assert must_replace(f"AWS::{resource_type}", old, new, REGION) is replaced


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Group": {"Type": "AWS::Logs::LogGruop"}}, r"Unrecognized resource types: \[AWS::Logs::LogGruop\]"),
        ({"Group": {"Typ": "AWS::Logs::LogGroup"}}, "Invalid template resource property 'Typ'"),
        ({"Group": {"Properties": {}}}, "must contain a Type member"),
        ({"a-b": {"Type": "AWS::Logs::LogGroup"}}, "Resource name a-b is non alphanumeric"),
        (
            {"Name": {"Ref": "Nothing"}},
            r"Unresolved resource dependencies \[Nothing\] in the Resources block",
        ),
        ({"Name": {"Fn::Sub": "${Nothing}"}}, r"Unresolved resource dependencies \[Nothing\]"),
        ({"Name": {"Fn::GetAtt": ["Nothing", "Arn"]}}, r"Unresolved resource dependencies \[Nothing\]"),
        (
            {"Name": {"Fn::GetAtt": ["Bucket", "arn"]}},
            "resource Bucket does not support attribute type arn in Fn::GetAtt",
        ),
        ({"Name": {"Fn::Sub": "${Bucket.Name}"}}, "does not support attribute type Name in Fn::GetAtt"),
        ({"Name": {"Fn::If": ["Big", "a", "b"]}}, "Unresolved condition dependency Big"),
        ({"Name": {"Fn::Join": ["a"]}}, "every Fn::Join object requires two parameters"),
        ({"Name": {"Fn::FindInMap": ["M", "a", "b"]}}, "Mapping named 'M' is not present"),
        ({"Name": None}, r"\[/Resources/Group/Properties/LogGroupName\] 'null' values are not allowed"),
    ],
)
def test_a_template_is_refused_before_anything_is_made(
    stack: Stack, change: dict[str, Any], message: str
) -> None:
    named = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": change.get("Name", "g")}}
    resources = {"Group": named} if "Name" in change else change
    with pytest.raises(ClientError, match=message):
        stack.api.create_change_set(
            StackName=stack.name,
            ChangeSetName="first",
            ChangeSetType="CREATE",
            TemplateBody=json.dumps(stack.template(**resources)),
        )


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"Resorces": {}}, r"Invalid template property or properties \[Resorces\]"),
        ({"Outputs": {"X": {"Value": {"Ref": "No"}}}}, r"dependencies \[No\] in the Outputs block"),
        ({"Outputs": {"X": {}}}, "Every Outputs member must contain a Value object"),
        ({"Parameters": {"P": {"Type": "Text"}}}, "must have values"),
        ({"Parameters": {"P": {"Type": "Text", "Default": "x"}}}, "Unrecognized parameter type: Text"),
        (
            {"Parameters": {"P": {"Type": "String", "Default": "x", "AllowedPattern": "y+"}}},
            r"Parameter 'P' must match pattern y\+",
        ),
    ],
)
def test_a_wrong_section_is_refused(stack: Stack, section: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        stack.deploy(stack.template() | section)


def test_a_violation_rolls_the_stack_back(stack: Stack) -> None:
    group = {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {"LogGroupName": {"Fn::Join": ["", ["bad ", "name"]]}},
    }
    assert stack.deploy(stack.template(Group=group)) == "ROLLBACK_COMPLETE"
    assert stack.failures()["Group"] == (
        f"Properties validation failed for resource Group with message:\n#/LogGroupName: {PATTERN}"
    )


def test_a_violation_in_an_update_changes_nothing(stack: Stack) -> None:
    group: dict[str, Any] = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}
    stack.deploy(stack.template(Group=group))
    group["Properties"]["RetentionInDays"] = 31
    assert stack.deploy(stack.template(Group=group)) == "UPDATE_ROLLBACK_COMPLETE"
    assert "#/RetentionInDays" in stack.failures()["Group"]
    assert stack.resources() == {"Bucket", "Group"}


def test_a_resource_that_names_itself_is_not_replaced(stack: Stack) -> None:
    name = f"{stack.name}-role"
    role: dict[str, Any] = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
    role["Properties"] |= {"RoleName": name}
    stack.deploy(stack.template(Role=role))
    role["Properties"] |= {"Path": "/other/"}
    assert stack.deploy(stack.template(Role=role)) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.failures()["Role"] == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        f"Rename {name} and update the stack again."
    )
    role["Properties"] |= {"RoleName": f"{name}-2"}
    assert stack.deploy(stack.template(Role=role)) == "UPDATE_COMPLETE", stack.failures()
    roles = {found["RoleName"] for found in stack.account.client("iam").list_roles()["Roles"]}
    assert f"{name}-2" in roles
    assert name not in roles


def test_a_type_stays(stack: Stack) -> None:
    stack.deploy(stack.template())
    with pytest.raises(ClientError, match=r"modifies resource type of the following resources: \[Bucket\]"):
        stack.deploy({"Resources": {"Bucket": {"Type": "AWS::Logs::LogGroup"}}})


def test_passive_types_have_the_attributes_of_their_schemas(local_aws: Account) -> None:
    passive = [found for found in RESOURCE_TYPES.values() if isinstance(found, PassiveType)]
    assert passive
    for each in passive:
        schema = resource_schema(each.type, REGION)
        assert schema is not None
        assert set(each.attribute_values) <= schema.attributes, each.type
        assert not each.name or each.name in schema.schema["properties"], each.type


def test_the_registry_has_every_type_and_cfn_lint_agrees_on_attributes(local_aws: Account) -> None:
    assert [name for name in RESOURCE_TYPES if resource_schema(name, "us-east-1") is None] == []
    assert set(_all_property_types) & RESOURCE_TYPES.keys() == EVERY_PROPERTY_IS_AN_ATTRIBUTE
