"""What starts a delivery, for every source and trigger, and what it says about why."""

import json
from typing import Any

import pytest

from tests.stacks.configurations import CONFIGURATIONS, CONNECTION
from tests.stacks.synthesis import ACCOUNT, REGION, Synthesise, Synthesised

PIPELINE_ARN = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:model-factory-digits"


def pipeline(factory: Synthesised) -> Any:
    return factory.only("AWS::CodePipeline::Pipeline")["Properties"]


def source(factory: Synthesised) -> Any:
    return pipeline(factory)["Stages"][0]["Actions"][0]


def starting_rules(factory: Synthesised) -> list[Any]:
    """Without those that only tell somebody of something."""
    rules = [rule["Properties"] for rule in factory.of_type("AWS::Events::Rule").values()]
    return [
        rule
        for rule in rules
        if not any(":sns:" in target["Arn"] or "Topic" in target["Arn"] for target in rule["Targets"])
    ]


def reasons(factory: Synthesised) -> dict[str, str]:
    """Per rule that starts the pipeline: the reason that it gives."""
    found = {}
    for properties in starting_rules(factory):
        (target,) = properties["Targets"]
        if target["Arn"] != PIPELINE_ARN:
            continue
        (variable,) = json.loads(target["Input"])["variables"]
        assert variable["name"] == "TriggerReason"
        found[properties.get("ScheduleExpression") or properties["EventPattern"]["source"][0]] = variable[
            "value"
        ]
    return found


def teardown_of_model(factory: Synthesised) -> Any:
    (found,) = (
        each["Properties"]
        for each in factory.every("AWS::CloudFormation::CustomResource").values()
        if "SageMakerPipelineNames" in each["Properties"]
    )
    return found


def defaults(factory: Synthesised) -> dict[str, str]:
    return {each["Name"]: each["DefaultValue"] for each in pipeline(factory)["Variables"]}


def test_a_delivery_has_a_reason_and_data_of_its_own(factory: Synthesised) -> None:
    assert defaults(factory) == {"TriggerReason": "manual", "DataPrefix": "raw/digits/"}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ("default", {"aws.codecommit": "push"}),
        ("by-hand", {}),
        ("scheduled", {"aws.codecommit": "push", "rate(1 day)": "schedule rate(1 day)"}),
        ("cron", {"cron(0 3 ? * MON *)": "schedule cron(0 3 ? * MON *)"}),
        ("github", {"rate(1 day)": "schedule rate(1 day)"}),
    ],
)
def test_each_rule_says_why_it_starts_a_delivery(
    synthesise: Synthesise, configuration: str, expected: dict[str, str]
) -> None:
    factory = synthesise(CONFIGURATIONS[configuration])
    assert reasons(factory) == expected
    teardown = teardown_of_model(factory)
    assert len(teardown["RuleNames"]) == len(expected)


def test_the_branch_is_followed_and_seeded(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["scheduled"])
    (rule,) = (each for each in starting_rules(factory) if "EventPattern" in each)
    assert rule["EventPattern"]["detail"]["referenceName"] == ["release/1"]
    assert source(factory)["Configuration"]["BranchName"] == "release/1"
    assert factory.only("AWS::CodeCommit::Repository")["Properties"]["Code"]["BranchName"] == "release/1"


@pytest.mark.parametrize(
    ("provider", "kind", "host"),
    [
        ("github", "GitHub", "github.com"),
        ("gitlab", "GitLab", "gitlab.com"),
        ("bitbucket", "Bitbucket", "bitbucket.org"),
    ],
)
def test_a_connection_is_made_for_each_provider(
    synthesise: Synthesise, provider: str, kind: str, host: str
) -> None:
    factory = synthesise(CONFIGURATIONS[provider])
    assert factory.only("AWS::CodeConnections::Connection")["Properties"]["ProviderType"] == kind
    assert not factory.of_type("AWS::CodeCommit::Repository")
    assert not [rule for rule in starting_rules(factory) if "EventPattern" in rule]
    assert source(factory)["ActionTypeId"]["Provider"] == "CodeStarSourceConnection"
    assert source(factory)["Configuration"]["FullRepositoryId"] == "acme/digits"
    assert factory.outputs["RepositoryCloneUrl"]["Value"] == f"https://{host}/acme/digits.git"
    # No trigger of a connection can set a variable.
    assert defaults(factory)["TriggerReason"] == "push"


def test_an_existing_connection_is_used_and_only_that(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["connection"])
    assert not factory.of_type("AWS::CodeConnections::Connection")
    assert source(factory)["Configuration"]["ConnectionArn"] == CONNECTION
    (fetch,) = (each for _, each in factory.statements() if each["Sid"] == "FetchSource")
    assert fetch["Resource"] == CONNECTION


@pytest.mark.parametrize(
    ("provider", "paths"),
    [
        ("github", None),
        ("gitlab", {"Includes": ["ml_code/**"]}),
        ("bitbucket", {"Includes": ["ml_code/**"], "Excludes": ["**/*.md"]}),
    ],
)
def test_pushes_by_connection_are_filtered_by_branch_and_path(
    synthesise: Synthesise, provider: str, paths: dict[str, list[str]] | None
) -> None:
    (trigger,) = pipeline(synthesise(CONFIGURATIONS[provider]))["Triggers"]
    git = trigger["GitConfiguration"]
    assert git["SourceActionName"] == "Source"
    (push,) = git["Push"]
    assert push["Branches"] == {"Includes": ["release"]}
    assert push.get("FilePaths") == paths


def test_without_push_a_connection_triggers_nothing(synthesise: Synthesise) -> None:
    assert "Triggers" not in pipeline(synthesise(CONFIGURATIONS["connection"]))


def test_new_data_moves_one_schedule(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["new-data"])
    (rule,) = (each for each in starting_rules(factory) if each["EventPattern"]["source"] == ["aws.s3"])
    bucket = f"model-factory-data-{ACCOUNT}-{REGION}"
    assert rule["EventPattern"]["detail"] == {
        "bucket": {"name": [bucket]},
        "object": {"key": [{"prefix": "raw/digits/"}]},
    }
    notifying = [
        each["Properties"]["BucketName"]
        for each in factory.of_type("AWS::S3::Bucket").values()
        if "NotificationConfiguration" in each["Properties"]
    ]
    assert notifying == [bucket]
    schedule = factory.only("AWS::Scheduler::Schedule")["Properties"]
    assert schedule["State"] == "DISABLED"
    (function,) = (
        each["Properties"]
        for each in factory.of_type("AWS::Lambda::Function").values()
        if each["Properties"]["FunctionName"] == "model-factory-digits-new-data"
    )
    variables = function["Environment"]["Variables"]
    assert (variables["SCHEDULE_NAME"], variables["QUIET_SECONDS"]) == (schedule["Name"], "60")
    teardown = teardown_of_model(factory)
    assert teardown["ScheduleNames"] == [schedule["Name"]]
    assert len(teardown["RuleNames"]) == 2


def test_the_function_of_new_data_may_do_four_things(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["new-data"])
    allowed = {
        statement["Sid"]: statement["Resource"]
        for policy, statement in factory.statements()
        if policy.startswith("DeliveryNewDataRole")
    }
    assert (
        allowed["PutOffStart"]
        == f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/model-factory-digits-new-data"
    )
    assert allowed["StartDelivery"] == PIPELINE_ARN
    assert allowed["ListExecutions"] == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/model-factory-digits"
    assert allowed.keys() == {"WriteLogs", "PutOffStart", "PassRole", "StartDelivery", "ListExecutions"}


def test_settings_of_compute_reach_the_build(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["compute"])
    (build,) = (
        each["Properties"]
        for each in factory.of_type("AWS::CodeBuild::Project").values()
        if each["Properties"]["Name"] == "model-factory-digits-build"
    )
    variables = {each["Name"]: each["Value"] for each in build["Environment"]["EnvironmentVariables"]}
    compute = json.loads(variables["PIPELINE_SETTINGS"])["compute"]
    assert compute["preprocess"]["instance_type"] == "ml.m5.xlarge"
    assert compute["training"]["spot"] == {"max_wait_seconds": 9000}
    assert (compute["evaluate"]["max_runtime_seconds"], compute["cache_days"]) == (900, 30)
