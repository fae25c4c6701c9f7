"""A destroy while a delivery, its build and its jobs run: each is stopped, and waited for."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from stacks.teardown.function import deadline as deadline_module
from stacks.teardown.function.calls import unless_settled
from stacks.teardown.function.deadline import Deadline, TimeBudgetSpentError
from stacks.teardown.function.deliveries import stop_builds, stop_deliveries, stop_triggers
from stacks.teardown.function.jobs import Jobs
from tests.options.functions import stub_clients

ARN = "arn:aws:sagemaker:eu-central-1:123456789012"
EXECUTION = f"{ARN}:pipeline/digits/execution/e1"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline_module, "POLL_SECONDS", 0.0)


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Stubber]]:
    names = ("codepipeline", "codebuild", "events", "scheduler", "sagemaker", "logs")
    stubs = dict(zip(names, stub_clients(monkeypatch, *names), strict=True))
    yield stubs
    for stub in stubs.values():
        stub.assert_no_pending_responses()


def test_triggers_are_closed_also_those_that_are_gone(stubs: dict[str, Stubber]) -> None:
    stubs["events"].add_response("disable_rule", {}, {"Name": "push"})
    stubs["events"].add_client_error("disable_rule", "ResourceNotFoundException")
    stubs["scheduler"].add_response("delete_schedule", {}, {"Name": "new-data"})
    stop_triggers({"RuleNames": ["push", "gone"], "ScheduleNames": ["new-data"]})


@pytest.mark.parametrize("code", ["", "PipelineExecutionNotStoppableException"])
def test_a_running_delivery_is_abandoned_even_if_it_ends_by_itself(
    stubs: dict[str, Stubber], code: str
) -> None:
    stub = stubs["codepipeline"]
    stub.add_response("disable_stage_transition", {})
    executions = [
        {"pipelineExecutionId": identifier * 36, "status": status}
        for identifier, status in (("1", "Succeeded"), ("2", "InProgress"))
    ]
    stub.add_response("list_pipeline_executions", {"pipelineExecutionSummaries": executions})
    if code:
        stub.add_client_error("stop_pipeline_execution", code)
    else:
        request = {
            "pipelineName": "digits",
            "pipelineExecutionId": "2" * 36,
            "abandon": True,
            "reason": "The factory is being destroyed",
        }
        stub.add_response("stop_pipeline_execution", {"pipelineExecutionId": "2" * 36}, request)
    stop_deliveries({"DeliveryPipelineNames": ["digits"]})


def test_a_running_build_is_stopped_and_waited_for(stubs: dict[str, Stubber]) -> None:
    stub = stubs["codebuild"]
    for look, status in enumerate(("IN_PROGRESS", "IN_PROGRESS", "STOPPED")):
        stub.add_response("list_builds_for_project", {"ids": ["digits-build:1"]})
        stub.add_response("batch_get_builds", {"builds": [{"id": "digits-build:1", "buildStatus": status}]})
        if look == 0:
            stub.add_response("stop_build", {}, {"id": "digits-build:1"})
    stub.add_response("list_builds_for_project", {})
    stub.add_response("list_builds_for_project", {})
    stop_builds({"BuildProjectNames": ["digits-build", "digits-deploy"]}, Deadline(60))


def execution(status: str) -> dict[str, Any]:
    return {
        "PipelineExecutionSummaries": [{"PipelineExecutionArn": EXECUTION, "PipelineExecutionStatus": status}]
    }


def described(kind: str, status: str) -> dict[str, Any]:
    return {f"{kind}Name": "x", f"{kind}Arn": f"{ARN}:job/x", f"{kind}Status": status}


def test_a_running_execution_and_its_jobs_are_stopped(
    stubs: dict[str, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = stubs["sagemaker"]
    stub.add_response("list_pipeline_executions", execution("Executing"))
    steps = [
        {"StepName": "Preprocess", "Metadata": {"ProcessingJob": {"Arn": f"{ARN}:processing-job/x"}}},
        {"StepName": "Gate", "Metadata": {"Condition": {"Outcome": "True"}}},
    ]
    stub.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": steps})
    stub.add_response("stop_pipeline_execution", {"PipelineExecutionArn": EXECUTION})
    jobs = iter(["InProgress", "Stopped"])
    stopped: list[str] = []

    def describe(kind: str, name: str) -> dict[str, Any]:
        return described(kind, next(jobs))

    teardown = Jobs({"SageMakerPipelineNames": ["digits"]}, Deadline(60))
    monkeypatch.setattr(teardown, "describe", describe)
    monkeypatch.setattr(
        teardown.sagemaker,
        "stop_processing_job",
        lambda **request: stopped.append(request["ProcessingJobName"]),
    )
    stub.add_response("list_pipeline_executions", execution("Stopped"))
    teardown.stop_executions()
    assert stopped == ["x"]


def test_a_job_that_is_gone_does_not_run(stubs: dict[str, Stubber]) -> None:
    stubs["sagemaker"].add_client_error(
        "describe_processing_job", "ValidationException", "Could not find requested job with name: x"
    )
    assert not Jobs({}, Deadline(60)).is_running("ProcessingJob", "x")


def test_another_refusal_is_an_error(stubs: dict[str, Stubber]) -> None:
    stubs["codebuild"].add_client_error("stop_build", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        unless_settled(boto3.client("codebuild").stop_build, id="x")


def test_the_time_ends_with_what_it_waited_for() -> None:
    with pytest.raises(
        TimeBudgetSpentError, match="waited too long for builds to stop; run cdk destroy again"
    ):
        Deadline(-1).wait(lambda: False, "builds to stop")
