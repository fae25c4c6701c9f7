from datetime import UTC, datetime, timedelta

import pytest

from localaws.core.clock import Clock
from localaws.services.events.schedules import is_due

MONDAY = datetime(2026, 11, 23, 3, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("rate(1 minute)", True),
        ("rate(5 minutes)", False),
        ("cron(0 3 ? * MON *)", True),
        ("cron(0 3 ? * 2 *)", True),
        ("cron(0 3 ? * TUE-FRI *)", False),
        ("cron(0/15 * * * ? *)", True),
        ("cron(1/15 * * * ? *)", False),
        ("cron(0 0-6/3 23,24 NOV ? 2026)", True),
        ("cron(0 3 24 * ? *)", False),
    ],
)
def test_due(expression: str, due: bool) -> None:
    assert is_due(expression, last=MONDAY - timedelta(minutes=1), now=MONDAY) is due


@pytest.mark.parametrize(("seconds", "due"), [(9, False), (10, True)])
def test_a_rate_is_in_minutes_of_the_clock(seconds: int, due: bool) -> None:
    now = MONDAY + timedelta(seconds=seconds)
    assert is_due("rate(5 minutes)", last=MONDAY, now=now, clock=Clock(minute_seconds=2)) is due


def test_cron_fires_once_a_minute() -> None:
    assert not is_due("cron(* * * * ? *)", last=MONDAY, now=MONDAY + timedelta(seconds=5))


@pytest.mark.parametrize(
    "expression", ["rate(5 weeks)", "cron(0 3 * *)", "cron(0 3 L * ? *)", "cron(0 3 ? * 2#1 *)"]
)
def test_unsupported_expressions_are_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"Expected|does not support"):
        is_due(expression, last=MONDAY - timedelta(minutes=1), now=MONDAY)
