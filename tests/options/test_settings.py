"""What single settings change."""

import json

import pytest

from tests.pipeline_requests import all_steps
from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import ACCOUNT, Synthesise, environment
from tests.stacks.test_stack import assert_tagged


def test_settings_reach_the_deployments(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["digits-eu"])
    settings = json.loads(environment(factory, "digits-eu-digits-deploy-production")["ENDPOINT_SETTINGS"])
    assert settings == {"mode": "serverless", "memory_mb": 4096, "max_concurrency": 20}


def test_prod_keeps_data_and_protects_the_stack(synthesise: Synthesise) -> None:
    factory = synthesise({"stage": "prod"})
    assert factory.is_protected
    kept = {found["Type"] for found in factory.resources.values() if found.get("DeletionPolicy") == "Retain"}
    assert kept == {
        "AWS::S3::Bucket",
        "AWS::SageMaker::MlflowApp",
        "AWS::IAM::Role",
        "AWS::IAM::Policy",
        "AWS::CodeCommit::Repository",
    }
    resources = factory.every("AWS::CloudFormation::CustomResource").values()
    assert [name for each in resources for name in each["Properties"].get("BucketNames", [])] == []
    removed = [statement for _, statement in factory.statements() if statement.get("Sid") == "EmptyBuckets"]
    assert not removed


def test_prod_logs_who_touches_its_buckets(synthesise: Synthesise) -> None:
    buckets = [
        each["Properties"] for each in synthesise({"stage": "prod"}).of_type("AWS::S3::Bucket").values()
    ]
    (logs,) = (bucket["BucketName"] for bucket in buckets if "LoggingConfiguration" not in bucket)
    assert "-access-logs-" in logs
    prefixes = {
        bucket["LoggingConfiguration"]["LogFilePrefix"]
        for bucket in buckets
        if bucket.get("LoggingConfiguration", {}).get("DestinationBucketName") == logs
    }
    assert prefixes == {"data/", "artifacts/", "deliveries/"}


def test_every_taggable_resource_bears_the_tags_of_the_settings(synthesise: Synthesise) -> None:
    factory = synthesise({"tags": {"cost-center": "4711"}})
    assert_tagged(factory, "cost-center", "4711")
    assert_tagged(factory, "model-factory", "model-factory")
    deployment = environment(factory, "model-factory-digits-deploy-production")
    assert json.loads(deployment["TAGS"]) == {"cost-center": "4711"}
    body = json.loads(
        factory.only("AWS::SageMaker::Pipeline")["Properties"]["PipelineDefinition"]["PipelineDefinitionBody"]
    )
    jobs = [step for step in all_steps(body).values() if step["Type"] in ("Processing", "Tuning")]
    assert len(jobs) == 4
    for job in jobs:
        tags = {tag["Key"]: tag["Value"] for tag in job["Arguments"]["Tags"]}
        assert tags == {"cost-center": "4711", "model-factory": "model-factory", "model-name": "digits"}


def test_every_role_has_the_permissions_boundary(synthesise: Synthesise) -> None:
    for boundary in ("platform-boundary", f"arn:aws:iam::{ACCOUNT}:policy/platform-boundary"):
        for role in synthesise({"permissions_boundary": boundary}).every("AWS::IAM::Role").values():
            found = role["Properties"]["PermissionsBoundary"]
            assert found == f"arn:aws:iam::{ACCOUNT}:policy/platform-boundary"
    for role in synthesise().every("AWS::IAM::Role").values():
        assert "PermissionsBoundary" not in role["Properties"]


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ("default", {"batch/": 90, "captured/": 90, "monitoring/": 365, "runs/": 90}),
        ("retention", {"batch/": 7, "captured/": 7, "monitoring/": 30, "runs/": 30}),
        ("kept", {}),
    ],
)
def test_what_is_made_of_rows_is_deleted_in_time(
    synthesise: Synthesise, configuration: str, expected: dict[str, int]
) -> None:
    factory = synthesise(CONFIGURATIONS[configuration])
    rules = [
        rule
        for bucket in factory.of_type("AWS::S3::Bucket").values()
        for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        if "Prefix" in rule
    ]
    assert {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules} == expected
    assert all(rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1} for rule in rules)


def test_who_pushes_is_denied_to_approve(synthesise: Synthesise) -> None:
    factory = synthesise({"pushing_roles": ("developers", "data-science")})
    (policy,) = (each["Properties"] for each in factory.of_type("AWS::IAM::ManagedPolicy").values())
    assert policy["Roles"] == ["developers", "data-science"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "codepipeline:PutApprovalResult")
    assert statement["Resource"].endswith(":model-factory-digits/Approval/Approve")
    assert not synthesise().of_type("AWS::IAM::ManagedPolicy")
