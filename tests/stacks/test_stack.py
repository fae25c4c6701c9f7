import json
from typing import Any

import pytest

from ml_code.pipeline.definition import pipeline_definition
from ml_code.pipeline.settings import PipelineSettings
from ml_code.spec import load_spec
from tests.stacks.synthesis import ACCOUNT, EXAMPLE_MODEL, REGION, Synthesised, environment

ARTIFACTS = f"model-factory-artifacts-{ACCOUNT}-{REGION}"
DATA = f"model-factory-data-{ACCOUNT}-{REGION}"
DELIVERIES = f"model-factory-delivery-{ACCOUNT}-{REGION}"
DEPLOYMENTS = ("staging", "production")


def stages(factory: Synthesised) -> dict[str, dict[str, Any]]:
    pipeline = factory.only("AWS::CodePipeline::Pipeline")["Properties"]
    return {stage["Name"]: stage["Actions"][0] for stage in pipeline["Stages"]}


def depends_on(factory: Synthesised, type_: str) -> set[str]:
    return set(factory.only(type_)["DependsOn"])


def depends_on_id(factory: Synthesised, id_: str) -> set[str]:
    """What is made before the resource, by what is made before that as well."""
    before: set[str] = set()
    waiting = {id_}
    while waiting:
        found = factory.resources[waiting.pop()].get("DependsOn", [])
        waiting |= set(found) - before
        before |= set(found)
    return before


def test_resource_types_are_few_and_plain(factory: Synthesised) -> None:
    assert {resource["Type"] for resource in factory.resources.values()} == {
        "AWS::CloudFormation::CustomResource",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::CodeBuild::Project",
        "AWS::CodeCommit::Repository",
        "AWS::CodePipeline::Pipeline",
        "AWS::Events::Rule",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SageMaker::MlflowApp",
        "AWS::SageMaker::Pipeline",
    }


def test_buckets_are_private_encrypted_and_speak_tls_only(factory: Synthesised) -> None:
    buckets = factory.of_type("AWS::S3::Bucket").values()
    assert len(buckets) >= 3
    for bucket in buckets:
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["Properties"]["BucketEncryption"]
    policies = factory.of_type("AWS::S3::BucketPolicy").values()
    names = {bucket["Properties"]["BucketName"] for bucket in buckets}
    assert {policy["Properties"]["Bucket"] for policy in policies} == names
    for policy in policies:
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        (denied,) = (
            each for each in statements if each["Effect"] == "Deny" and each.get("Sid") != "WriteOnce"
        )
        assert denied["Action"] == "s3:*"
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_data_and_artifacts_have_versions(factory: Synthesised) -> None:
    versioned = {
        bucket["Properties"]["BucketName"].removeprefix(factory.name)
        for bucket in factory.of_type("AWS::S3::Bucket").values()
        if bucket["Properties"].get("VersioningConfiguration") == {"Status": "Enabled"}
    }
    assert versioned == {ARTIFACTS.removeprefix("model-factory"), DATA.removeprefix("model-factory")}


def test_what_deliveries_hand_on_has_a_bucket_of_its_own_and_goes_after_a_month(factory: Synthesised) -> None:
    buckets = {
        bucket["Properties"]["BucketName"]: bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        for bucket in factory.of_type("AWS::S3::Bucket").values()
    }
    store = factory.only("AWS::CodePipeline::Pipeline")["Properties"]["ArtifactStore"]
    assert store["Location"] == DELIVERIES
    assert {"ExpirationInDays": 30, "Status": "Enabled"} in buckets[DELIVERIES]
    others = [rule for name in (ARTIFACTS, DATA) for rule in buckets[name] if "ExpirationInDays" in rule]
    assert {rule.get("Prefix") for rule in others} == {"batch/", "captured/", "monitoring/", "runs/"}


def test_the_definition_in_the_template_is_the_one_that_a_push_writes(factory: Synthesised) -> None:
    pipeline = factory.only("AWS::SageMaker::Pipeline")["Properties"]
    settings = PipelineSettings(
        **json.loads(environment(factory, "model-factory-digits-build")["PIPELINE_SETTINGS"])
    )
    body = pipeline["PipelineDefinition"]["PipelineDefinitionBody"]
    assert body == pipeline_definition(load_spec(EXAMPLE_MODEL), settings)
    assert settings.pipeline_name == pipeline["PipelineName"]


def test_delivery_runs_its_stages_in_order(factory: Synthesised) -> None:
    pipeline = factory.only("AWS::CodePipeline::Pipeline")["Properties"]
    assert (pipeline["PipelineType"], pipeline["ExecutionMode"]) == ("V2", "SUPERSEDED")
    found = stages(factory)
    assert list(found) == ["Source", "Build", "Staging", "Approval", "Production"]
    assert found["Source"]["Configuration"]["BranchName"] == "main"
    assert found["Source"]["Configuration"]["PollForSourceChanges"] == "false"
    assert found["Approval"]["ActionTypeId"]["Category"] == "Approval"
    assert found["Build"]["Namespace"] == "Build"


@pytest.mark.parametrize("stage", ["Build", "Staging", "Production"])
def test_a_build_gets_the_execution_s_id_and_nothing_that_a_person_or_a_push_wrote(
    factory: Synthesised, stage: str
) -> None:
    """CodePipeline pastes variables into this JSON as they are: a quote in one would add variables."""
    variables = json.loads(stages(factory)[stage]["Configuration"]["EnvironmentVariables"])
    value = "#{codepipeline.PipelineExecutionId}"
    assert variables == [{"name": "DELIVERY_EXECUTION", "value": value, "type": "PLAINTEXT"}]


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_each_deployment_has_its_endpoint(factory: Synthesised, stage: str) -> None:
    deployment = environment(factory, f"model-factory-digits-deploy-{stage}")
    assert deployment["ENDPOINT_NAME"] == f"model-factory-digits-{stage}"
    assert deployment["STAGE"] == stage


def test_a_push_to_main_starts_delivery(factory: Synthesised) -> None:
    (rule,) = (
        found["Properties"]
        for key, found in factory.of_type("AWS::Events::Rule").items()
        if key.startswith("Delivery")
    )
    assert rule["State"] == "ENABLED"
    assert rule["EventPattern"]["source"] == ["aws.codecommit"]
    assert rule["EventPattern"]["detail"]["referenceName"] == ["main"]
    (target,) = rule["Targets"]
    assert target["Arn"] == f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{factory.prefix}"


def test_the_first_run_finds_all_that_a_build_calls_and_who_tells_of_its_failure(
    factory: Synthesised,
) -> None:
    called = {
        key
        for key, resource in factory.resources.items()
        if key.startswith(
            (
                *("Storage", "Tracking", "Training", "Serving", "DeliveryBuild", "DeliveryDeploy"),
                *("Guards", "Observability"),
            )
        )
    }
    assert called <= depends_on(factory, "AWS::CodePipeline::Pipeline")


def test_teardown_is_deleted_before_anything_that_it_cleans(factory: Synthesised) -> None:
    """That of the model first, then that of the factory, then what both need."""
    apart = ("ModelTeardown", "Teardown", "Observability", "Guards")
    others = {key for key in factory.resources if not key.startswith(apart)}
    of_model, of_factory = sorted(factory.of_type("AWS::CloudFormation::CustomResource"))
    assert of_model.startswith("ModelTeardown")
    assert others | {of_factory} <= depends_on_id(factory, of_model)
    assert {key for key in factory.resources if key.startswith("Storage")} <= depends_on_id(
        factory, of_factory
    )


def test_every_log_group_of_the_factory_is_owned_and_forgets(factory: Synthesised) -> None:
    groups = [group["Properties"] for group in factory.of_type("AWS::Logs::LogGroup").values()]
    assert {group["RetentionInDays"] for group in groups} == {30}
    assert {group["LogGroupName"] for group in groups} == {
        "/aws/codebuild/model-factory-digits-build",
        *(f"/aws/codebuild/model-factory-digits-deploy-{stage}" for stage in DEPLOYMENTS),
        *(f"/aws/sagemaker/Endpoints/model-factory-digits-{stage}" for stage in DEPLOYMENTS),
        "/aws/lambda/model-factory-teardown",
        "/aws/lambda/model-factory-digits-model-teardown",
    }


def test_every_taggable_resource_bears_the_factory(factory: Synthesised) -> None:
    assert_tagged(factory, "model-factory", factory.name)


def assert_tagged(factory: Synthesised, key: str, value: str) -> None:
    not_taggable = (
        "AWS::CloudFormation::CustomResource",
        "AWS::EC2::Route",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::IAM::ManagedPolicy",  # CDK makes one, untagged, of what an inline policy has no room for
        "AWS::IAM::Policy",
        "AWS::KMS::Alias",
        "AWS::Lambda::Permission",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::Scheduler::Schedule",
        "AWS::SNS::TopicPolicy",
    )
    for id_, resource in factory.resources.items():
        if resource["Type"] not in not_taggable:
            properties = resource["Properties"]
            tags = properties["ResourceTags" if resource["Type"] == "AWS::Budgets::Budget" else "Tags"]
            assert (tags.get(key) if isinstance(tags, dict) else None) == value or {
                "Key": key,
                "Value": value,
            } in tags, id_


def test_dev_leaves_nothing(factory: Synthesised) -> None:
    assert not factory.is_protected
    assert not [key for key, found in factory.resources.items() if found.get("DeletionPolicy") == "Retain"]
    resources = factory.of_type("AWS::CloudFormation::CustomResource").values()
    buckets = [name for each in resources for name in each["Properties"].get("BucketNames", [])]
    assert set(buckets) == {ARTIFACTS, DATA, DELIVERIES}


def test_the_outputs_name_what_a_person_needs(factory: Synthesised) -> None:
    assert factory.outputs.keys() >= {
        "RepositoryCloneUrl",
        "MlflowTrackingUri",
        "DataBucketName",
        "ArtifactBucketName",
    }
    assert json.loads(factory.outputs["ModelPrefixes"]["Value"]) == {"digits": factory.prefix}
