from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.stacks.authorization_reference import faults, reference
from tests.stacks.synthesis import ACCOUNT, REGION, Synthesised
from tests.stacks.wildcards import (
    ACTIONS,
    ON_EVERYTHING,
    PATTERNS,
    action_patterns,
    items,
    on_everything,
    patterns,
)


def of_role(factory: Synthesised, role: str) -> list[Mapping[str, Any]]:
    found = [
        statement
        for policy, statement in factory.statements()
        if policy.startswith(f"{role}RoleDefaultPolicy")
    ]
    assert found, f"the role {role} has no statement"
    return found


def test_action_patterns_are_listed(factory: Synthesised) -> None:
    assert not action_patterns(factory) - ACTIONS.keys()


def test_statements_on_everything_are_listed(factory: Synthesised) -> None:
    assert not on_everything(factory) - ON_EVERYTHING.keys()


def test_resource_patterns_are_listed(factory: Synthesised) -> None:
    assert not patterns(factory) - PATTERNS.keys()


def test_statements_name_actions_that_exist_on_resources_that_they_have(factory: Synthesised) -> None:
    """IAM takes any other, and it never allows anything."""
    known = reference()
    found = {(policy, fault) for policy, each in factory.statements() for fault in faults(each, known)}
    assert not found


def test_a_statement_that_never_allows_anything_is_found() -> None:
    known, bucket, model = reference(), "arn:aws:s3:::b", "arn:aws:sagemaker:eu-west-1:1:model/m"
    assert [*faults({"Action": "s3:GetBukket", "Resource": "*"}, known)] == ["s3:GetBukket is no action"]
    (fault,) = faults({"Action": "sagemaker:DescribeEndpoint", "Resource": model}, known)
    assert fault.startswith("sagemaker:DescribeEndpoint has no resource like")
    assert [*faults({"Action": "s3:ListBucket", "Resource": bucket}, known)] == []


def test_metrics_are_limited_to_a_namespace(factory: Synthesised) -> None:
    found = [each for _, each in factory.statements() if "cloudwatch:PutMetricData" in items(each["Action"])]
    assert found
    for statement in found:
        assert statement["Condition"]["StringEquals"]["cloudwatch:namespace"]


def test_every_pass_role_names_one_role_and_its_service(factory: Synthesised) -> None:
    found = [each for _, each in factory.statements() if "iam:PassRole" in items(each["Action"])]
    assert len(found) >= 4  # the pipeline: the jobs' role; a build: the pipeline's; two: the endpoints'
    for statement in found:
        assert statement["Resource"].startswith(f"arn:aws:iam::{ACCOUNT}:role/")
        service = statement["Condition"]["StringEquals"]["iam:PassedToService"]
        role = factory.resources[statement["Resource"].rpartition("/")[2]]["Properties"]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": service}


def test_no_role_has_a_managed_policy(factory: Synthesised) -> None:
    for role in factory.every("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]


def test_statement_ids_are_unique_within_a_policy_as_iam_demands(factory: Synthesised) -> None:
    counts = Counter((policy, each["Sid"]) for policy, each in factory.statements() if "Sid" in each)
    assert counts
    assert not [found for found, count in counts.items() if count > 1]


def test_a_deployment_touches_nothing_of_the_other_stage(factory: Synthesised) -> None:
    for stage, other in (("staging", "production"), ("production", "staging")):
        for statement in of_role(factory, f"DeliveryDeploy{stage}"):
            if statement["Sid"] == "AskProduction":  # the approver reads its answers beside the candidate's
                assert statement["Action"] == "sagemaker:InvokeEndpoint"
                continue
            assert not [
                found for found in items(statement["Resource"]) if f"{factory.prefix}-{other}" in found
            ]


def test_a_deployment_writes_archives_of_its_own_stage_and_production_alone_writes_records(
    factory: Synthesised,
) -> None:
    artifacts = f"arn:aws:s3:::{factory.name}-artifacts-{ACCOUNT}-{REGION}"
    for stage, written in (("staging", []), ("production", [f"{artifacts}/releases/digits/*"])):
        (publish,) = (
            each for each in of_role(factory, f"DeliveryDeploy{stage}") if each["Sid"] == "WriteRelease"
        )
        assert items(publish["Resource"]) == [f"{artifacts}/serving/{stage}/digits/*", *written]


def test_endpoints_read_models_and_write_nothing_but_logs_and_captures(factory: Synthesised) -> None:
    both = [*of_role(factory, "Serving"), *of_role(factory, "ServingStaging")]
    statements = [each for each in both if each["Sid"] != "CaptureData"]
    actions = {action for each in statements for action in items(each["Action"])}
    assert "s3:GetObject" in actions
    assert {action for action in actions if action.startswith(("s3:Put", "sagemaker:"))} == set()


def test_only_teardown_and_mlflow_delete_objects(factory: Synthesised) -> None:
    found = {policy for policy, each in factory.statements() if "s3:DeleteObject" in items(each["Action"])}
    assert {policy.split("Role")[0] for policy in found} == {"Teardown", "Tracking"}
