from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from botocore.stub import Stubber

from tests.options.functions import load_function, stub_clients

SCHEDULE = {
    "Name": "factory-new-data",
    "ScheduleExpression": "at(2099-12-31T23:59:59)",
    "State": "DISABLED",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": "arn:aws:lambda:::function", "RoleArn": "arn:aws:iam::1:role/r", "Input": "{}"},
}
ARRIVED = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
OBJECT = {"source": "aws.s3", "time": "2026-11-24T12:00:00Z", "detail": {"object": {"key": "raw/a.csv"}}}
START = {"arrived": "2026-11-24T12:00:00Z", "token": "a-token"}


class Services:
    """The function's clients, stubbed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scheduler, self.sagemaker, self.codepipeline = stub_clients(
            monkeypatch, "scheduler", "sagemaker", "codepipeline"
        )

    def all(self) -> tuple[Stubber, ...]:
        return self.scheduler, self.sagemaker, self.codepipeline


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    services = Services(monkeypatch)
    variables = {
        "SCHEDULE_NAME": "factory-new-data",
        "START_INPUT": '{"arrived": "ARRIVED", "token": "<aws.scheduler.execution-id>"}',
        "QUIET_SECONDS": "300",
        "TRAINING_PIPELINE_NAME": "factory",
        "DELIVERY_PIPELINE_NAME": "factory",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield services
    for stub in services.all():
        stub.assert_no_pending_responses()


@pytest.fixture
def index() -> ModuleType:
    return load_function("new_data")


def test_an_object_puts_the_start_off(
    index: ModuleType, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls(2026, 11, 24, 12, 0, 3, tzinfo=tz)

    monkeypatch.setattr(index, "datetime", Clock)
    services.scheduler.add_response("get_schedule", SCHEDULE, {"Name": "factory-new-data"})
    request = {
        "Name": "factory-new-data",
        "ScheduleExpression": "at(2026-11-24T12:05:03)",
        "State": "ENABLED",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            **SCHEDULE["Target"],  # type: ignore[dict-item]
            "Input": '{"arrived": "2026-11-24T12:00:00Z", "token": "<aws.scheduler.execution-id>"}',
        },
    }
    services.scheduler.add_response("update_schedule", {"ScheduleArn": "arn"}, request)
    index.handler(OBJECT, None)


@pytest.mark.parametrize(("code", "passes"), [("ConflictException", True), ("ThrottlingException", False)])
def test_an_object_at_the_same_moment_is_enough(
    index: ModuleType, services: Services, code: str, passes: bool
) -> None:
    services.scheduler.add_response("get_schedule", SCHEDULE)
    services.scheduler.add_client_error("update_schedule", code)
    if passes:
        index.handler(OBJECT, None)
    else:
        with pytest.raises(Exception, match=code):  # Lambda tries again
            index.handler(OBJECT, None)


@pytest.mark.parametrize(
    ("trained", "starts"),
    [
        (None, True),
        (ARRIVED - timedelta(minutes=5), True),
        (ARRIVED + timedelta(milliseconds=900), True),  # perhaps before the object, within its second
        (ARRIVED + timedelta(seconds=1), False),
    ],
)
def test_the_start_is_left_out_when_a_training_began_since(
    index: ModuleType, services: Services, trained: datetime | None, starts: bool
) -> None:
    summaries = [{"PipelineExecutionArn": "arn", "StartTime": trained}] if trained else []
    services.sagemaker.add_response("list_pipeline_executions", {"PipelineExecutionSummaries": summaries})
    if starts:
        request = {
            "name": "factory",
            "variables": [{"name": "TriggerReason", "value": "new data"}],
            "clientRequestToken": "a-token",
        }
        services.codepipeline.add_response(
            "start_pipeline_execution", {"pipelineExecutionId": "an-execution"}, request
        )
    index.handler(START, None)
