import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.services.scheduler.resources import ScheduleResource
from localaws.services.scheduler.service import fire_due

NAME = "start-later"
OFF = {"Mode": "OFF"}
# Far off, so that the local AWS itself, which goes by the real time, fires none of them.
NOW = datetime(2096, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def invoked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def invoke(account: Account, arn: str, event: str, *, principal: str) -> None:
        calls.append(json.loads(event))

    monkeypatch.setattr("localaws.services.awslambda.service.invoke_for_service", invoke)
    return calls


@pytest.fixture
def put_schedule(account: Account) -> Iterator[Callable[..., None]]:
    """Make the schedule, or change it, with a role and an expression."""
    client = account.client("scheduler")
    made: list[str] = []

    def put(role: str, expression: str, **members: str) -> None:
        target = {
            "Arn": account.arn("lambda", "function:start"),
            "RoleArn": role,
            "Input": json.dumps({"token": "<aws.scheduler.execution-id>"}),
        }
        change = client.update_schedule if made else client.create_schedule
        change(Name=NAME, ScheduleExpression=expression, FlexibleTimeWindow=OFF, Target=target, **members)
        made.append(NAME)

    yield put
    if made:
        client.delete_schedule(Name=NAME)


def test_a_one_time_schedule_fires_once_for_each_time_it_is_given(
    account: Account,
    invoked: list[dict[str, Any]],
    put_schedule: Callable[..., None],
    make_role: Callable[..., str],
) -> None:
    role = make_role("scheduler.amazonaws.com", "lambda:InvokeFunction")
    seen: dict[tuple[str, str], datetime] = {}
    put_schedule(role, "at(2096-11-24T12:00:10)", State="DISABLED")
    fire_due(account, seen, NOW + timedelta(minutes=1))
    assert invoked == []
    put_schedule(role, "at(2096-11-24T12:02:00)", State="ENABLED")
    fire_due(account, seen, NOW + timedelta(minutes=1))
    assert invoked == []
    put_schedule(role, "at(2096-11-24T12:03:00)", State="ENABLED")
    for seconds in (120, 179, 180, 181, 600):
        fire_due(account, seen, NOW + timedelta(seconds=seconds))
    assert len(invoked) == 1
    assert len(invoked[0]["token"]) == 36
    put_schedule(role, "at(2096-11-24T12:20:00)", State="ENABLED")
    fire_due(account, seen, NOW + timedelta(minutes=30))
    assert len(invoked) == 2


def test_a_recurring_schedule_fires_again_and_again(
    account: Account,
    invoked: list[dict[str, Any]],
    put_schedule: Callable[..., None],
    make_role: Callable[..., str],
) -> None:
    role = make_role("scheduler.amazonaws.com", "lambda:InvokeFunction")
    seen: dict[tuple[str, str], datetime] = {}
    put_schedule(role, "rate(5 minutes)")
    for minutes in range(12):
        fire_due(account, seen, NOW + timedelta(minutes=minutes))
    assert len(invoked) == 2


def test_a_role_that_may_not_is_logged_and_fires_nothing(
    account: Account,
    invoked: list[dict[str, Any]],
    put_schedule: Callable[..., None],
    make_role: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    put_schedule(make_role("scheduler.amazonaws.com", "s3:GetObject"), "at(2096-11-24T11:00:00)")
    with caplog.at_level(logging.ERROR, logger="localaws.scheduler"):
        fire_due(account, {}, NOW)
    assert invoked == []
    assert "not authorized to perform" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Target": {"Arn": "arn:aws:sqs:us-east-1:123456789012:queue", "RoleArn": "r"}}, "arn:aws:sqs"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "Mode OFF"),
        ({"GroupName": "mine"}, "GroupName"),
        ({"ScheduleExpression": "every day"}, "every day"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    account: Account, change: dict[str, Any], message: str
) -> None:
    properties = {
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": OFF,
        "Target": {"Arn": account.arn("lambda", "function:start"), "RoleArn": "role"},
    }
    with pytest.raises((ServiceError, ValueError), match=message):
        ScheduleResource().create(account, "stack-Schedule", {**properties, **change})
