"""EventBridge Scheduler: moto keeps the schedules, this makes them fire.

A one-time schedule fires once for each time that it is given; on AWS, too, it stays afterwards, unless it was asked
to be deleted. AWS is exact to a minute, this to a second.
"""

import json
import logging
import threading
from datetime import UTC, datetime
from uuid import uuid4

from moto.scheduler.models import Schedule, scheduler_backends

from localaws.core.account import Account
from localaws.core.clock import Clock
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.services.awslambda import service as lambda_functions
from localaws.services.events.schedules import at_time, is_due
from localaws.services.iam.authorization import assume_role, authorize_session

LOG = logging.getLogger("localaws.scheduler")
_PRINCIPAL = "scheduler.amazonaws.com"
_TICK_SECONDS = 1.0


def listen(account: Account) -> None:
    threading.Thread(target=_watch_clock, args=(account,), name="scheduler", daemon=True).start()


def _watch_clock(account: Account) -> None:
    seen: dict[tuple[str, str], datetime] = {}
    pause = threading.Event()
    while not pause.wait(_TICK_SECONDS):
        fire_due(account, seen, datetime.now(UTC))


def fire_due(account: Account, seen: dict[tuple[str, str], datetime], now: datetime) -> None:
    """Start the targets of the schedules that are due; `seen` has, by schedule and expression, when each fired or was found."""
    groups = scheduler_backends[ACCOUNT_ID][account.region].schedule_groups
    for schedule in [each for group in list(groups.values()) for each in list(group.schedules.values())]:
        key = (schedule.arn, schedule.schedule_expression)
        if schedule.state != "ENABLED":
            continue
        try:
            if _is_due(schedule, seen.get(key), now, account.clock):
                LOG.info("schedule %s fires: %s", schedule.name, schedule.schedule_expression)
                _invoke(account, schedule)
                seen[key] = now
                if schedule.action_after_completion == "DELETE" and at_time(schedule.schedule_expression):
                    groups[schedule.group_name].delete_schedule(schedule.name)
        except (ServiceError, ValueError) as error:
            LOG.error("schedule %s: %s", schedule.name, error)
            seen[key] = now
        if at_time(schedule.schedule_expression) is None:
            seen.setdefault(key, now)


def _is_due(schedule: Schedule, last: datetime | None, now: datetime, clock: Clock) -> bool:
    if schedule.schedule_expression_timezone != "UTC":
        zone = schedule.schedule_expression_timezone
        raise ValueError(f"The local AWS does not support ScheduleExpressionTimezone {zone}, only UTC")
    moment = at_time(schedule.schedule_expression)
    if moment is not None:
        return last is None and now >= moment
    return is_due(schedule.schedule_expression, last=last or now, now=now, clock=clock)


def _invoke(account: Account, schedule: Schedule) -> None:
    target: Json = schedule.target
    check_target(target)
    credentials = assume_role(
        account, target["RoleArn"], principal=_PRINCIPAL, session_name=f"schedule-{schedule.name}"
    )
    authorize_session(credentials, "lambda:InvokeFunction", target["Arn"])
    values = {
        "schedule-arn": schedule.arn,
        "scheduled-time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "execution-id": str(uuid4()),
        "attempt-number": "1",
    }
    event = target.get("Input", "{}")
    for name, value in values.items():
        event = event.replace(f"<aws.scheduler.{name}>", value)
    lambda_functions.invoke_for_service(account, target["Arn"], event, principal=_PRINCIPAL)


def check_target(target: Json) -> None:
    if target["Arn"].split(":")[2] != "lambda" or ":function:" not in target["Arn"]:
        raise ServiceError(
            "ValidationException",
            f"The local AWS supports schedules with a Lambda function as their target only, not {target['Arn']}",
        )
    json.loads(target.get("Input", "{}"))
