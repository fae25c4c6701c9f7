"""Pushes that seldom happen, and what becomes of them."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.e2e.conftest import NAME, PREFIX, Workspace, aws, failed_step, invoke, pipeline_executions
from tests.e2e.sample import MODEL

pytestmark = pytest.mark.e2e


def test_a_push_that_breaks_the_app_stops_its_training(checkout: Workspace) -> None:
    before, served = len(pipeline_executions()), invoke()["model_version"]
    broken = "tests/stacks/test_a_broken.py"
    (checkout.directory / broken).write_text("def test_broken():\n    assert 1 == 2, 'no bucket'\n")
    checkout.run("git", "add", broken)
    checkout.push("Break the app")
    status, stages = checkout.finish(checkout.next_execution())
    assert status == "Failed"
    assert list(stages) == ["Source", "Build"]
    assert [execution["PipelineExecutionStatus"] for execution in pipeline_executions()[before:]] in (
        [],
        ["Stopped"],
    )
    assert invoke()["model_version"] == served
    log = aws(
        *("logs", "filter-log-events", "--log-group-name", f"/aws/codebuild/{PREFIX}-build"),
        *("--query", "events[].message"),
    )
    assert "The tests of the CDK app failed: this commit goes no further. tests/stacks failed" in log


def test_of_two_quick_pushes_the_newer_ends_in_production(checkout: Workspace) -> None:
    checkout.skip_build_tests()
    checkout.change_seed()
    checkout.push("First of two")
    first = checkout.next_execution()
    checkout.change_seed()
    newer = checkout.push("Second of two")
    second = checkout.next_execution()
    first_status, _ = checkout.finish(first)
    second_status, stages = checkout.finish(second)
    assert first_status in ("Succeeded", "Superseded")
    assert second_status == "Succeeded", stages
    assert invoke()["commit"] == newer


@pytest.fixture
def jobs_role() -> Iterator[str]:
    """The role of the training's jobs, which may no longer read objects, as when somebody changed it."""
    iam = boto3.client("iam")
    (role,) = (
        role["RoleName"]
        for page in iam.get_paginator("list_roles").paginate()
        for role in page["Roles"]
        if role["RoleName"].startswith(f"{NAME}-Model{MODEL}TrainingJobRole")
    )
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document: Any = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    kept = [each for each in document["Statement"] if "s3:GetObject" not in each["Action"]]
    assert len(kept) < len(document["Statement"])
    for statements in (kept, document["Statement"]):
        body = json.dumps(document | {"Statement": statements})
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=body)
        if statements is kept:
            yield role


def test_a_permission_taken_from_the_jobs_role_is_named_in_the_failure(
    checkout: Workspace, jobs_role: str
) -> None:
    checkout.skip_build_tests()
    checkout.change_seed()
    checkout.push("Without a permission")
    status, _ = checkout.finish(checkout.next_execution())
    assert status == "Failed"
    reason = failed_step(pipeline_executions()[-1]["PipelineExecutionArn"])["FailureReason"]
    assert "not authorized to perform: s3:" in reason
    assert jobs_role in reason
    assert "arn:aws:s3:::" in reason
