"""EventBridge rules of the default bus whose targets are services of our own, or topics.

The rules themselves live in moto's EventBridge, which refuses targets that it does not know. Here an event that
matches an enabled rule, or its schedule, starts the target with the role that the rule gives to EventBridge, or is
published to the topic that lets EventBridge do so.
"""

import json
import logging
import threading
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.events.models import EventPattern, Rule, events_backends

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.services.awslambda import service as lambda_functions
from localaws.services.codepipeline.service import CodePipeline
from localaws.services.events.schedules import is_due
from localaws.services.iam.authorization import assume_role, authorize_session
from localaws.services.sns.publishing import publish, target_input

LOG = logging.getLogger("localaws.events")
_PRINCIPAL = "events.amazonaws.com"
_TICK_SECONDS = 5.0
_SHORTEST_TICK_SECONDS = 0.2


def listen(account: Account) -> None:
    """Connect the rules of the account's default bus with its events and with the clock."""
    account.event_listeners.append(lambda event: deliver(account, event))
    threading.Thread(target=_watch_clock, args=(account,), name="schedules", daemon=True).start()


def deliver(account: Account, event: Json) -> None:
    """Start the targets of every enabled rule that the event matches; what fails is logged, as on AWS."""
    complete = {"id": str(uuid4()), "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", **event}
    for rule in _enabled_rules(account):
        if matches(rule, complete):
            _invoke_targets(account, rule, complete)


def matches(rule: Rule, event: Json) -> bool:
    """A rule without a pattern has a schedule instead: no event matches it."""
    pattern: EventPattern = rule.event_pattern
    message: Any = event
    return bool(pattern.get_pattern()) and pattern.matches_event(message)


def run_schedules(account: Account, fired: dict[str, datetime], now: datetime) -> None:
    """Start what is due; `fired` keeps, by rule ARN, when each rule fired last or was seen first."""
    for rule in _enabled_rules(account):
        if not rule.scheduled_expression:
            continue
        last = fired.setdefault(rule.arn, now)
        try:
            due = is_due(rule.scheduled_expression, last=last, now=now, clock=account.clock)
        except ValueError as error:
            LOG.error("The schedule of rule %s never fires: %s", rule.name, error)
            continue
        if due:
            fired[rule.arn] = now
            _invoke_targets(account, rule, _scheduled_event(account, rule, now))


def _watch_clock(account: Account) -> None:
    fired: dict[str, datetime] = {}
    pause = threading.Event()
    while not pause.wait(max(account.clock.seconds(_TICK_SECONDS), _SHORTEST_TICK_SECONDS)):
        run_schedules(account, fired, datetime.now(UTC))


def _scheduled_event(account: Account, rule: Rule, now: datetime) -> Json:
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT_ID,
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "region": account.region,
        "resources": [rule.arn],
        "detail": {},
    }


def _invoke_targets(account: Account, rule: Rule, event: Json) -> None:
    for target in rule.targets:
        try:
            _invoke(account, rule, target, event)
        except ServiceError as error:
            LOG.error("FailedInvocation of %s by rule %s: %s", target["Arn"], rule.name, error.message)


def _invoke(account: Account, rule: Rule, target: Json, event: Json) -> None:
    service = target["Arn"].split(":", 5)[2]
    if service not in _TARGETS:
        raise ServiceError(
            "UnsupportedTarget", f"The local AWS does not support targets of {service}: {json.dumps(target)}"
        )
    if unsupported := target.keys() - _TARGET_MEMBERS:
        raise ServiceError(
            "UnsupportedTarget", f"The local AWS does not support {', '.join(sorted(unsupported))} of targets"
        )
    _TARGETS[service](account, rule, target, event)


def _invoke_function(account: Account, rule: Rule, target: Json, event: Json) -> None:
    lambda_functions.invoke_for_service(
        account,
        target["Arn"],
        target_input(target, event),
        principal=_PRINCIPAL,
        source_arn=rule.arn,
    )


def _start_pipeline(account: Account, rule: Rule, target: Json, event: Json) -> None:
    name = target["Arn"].split(":", 5)[5]
    if "RoleArn" not in target:
        raise ServiceError("ValidationException", "RoleArn is required for a target of CodePipeline")
    credentials = assume_role(account, target["RoleArn"], principal=_PRINCIPAL, session_name=rule.name)
    authorize_session(credentials, "codepipeline:StartPipelineExecution", target["Arn"])
    pipelines = account.services["codepipeline"]
    assert isinstance(pipelines, CodePipeline)
    # Of an event that nobody made into an input, CodePipeline reads nothing.
    is_made = target.keys() & {"Input", "InputPath", "InputTransformer"}
    made = json.loads(target_input(target, event)) if is_made else {}
    execution = pipelines.start_for_rule(name, rule.arn, made)
    LOG.info("rule %s started execution %s of %s", rule.name, execution, name)


def _publish(account: Account, _rule: Rule, target: Json, event: Json) -> None:
    publish(account, target["Arn"], target_input(target, event), service=_PRINCIPAL)


_TARGETS = {"codepipeline": _start_pipeline, "lambda": _invoke_function, "sns": _publish}
_TARGET_MEMBERS = {"Id", "Arn", "RoleArn", "Input", "InputPath", "InputTransformer"}


def _enabled_rules(account: Account) -> list[Rule]:
    buses = events_backends[ACCOUNT_ID][account.region].event_buses
    return [rule for rule in list(buses["default"].rules.values()) if rule.state == "ENABLED"]


def publish_entries(account: Account, request: Json) -> None:
    """Show the events of a PutEvents request to the rules whose targets are our own."""
    for entry in request["Entries"]:
        if entry.get("EventBusName", "default").rpartition("/")[2] == "default":
            account.publish_event(
                source=entry["Source"],
                detail_type=entry["DetailType"],
                detail=json.loads(entry["Detail"]),
                resources=entry.get("Resources", []),
            )
