"""CloudWatch alarms: moto keeps them, this evaluates them as time goes by and publishes new states.

An alarm is looked at once a minute (with a period below a minute every ten seconds), over the periods that end then;
minutes are those of the local AWS's clock.
"""

import json
import logging
import threading
import time

from moto.cloudwatch.models import Alarm, cloudwatch_backends

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.core.metrics import is_percentile, metric
from localaws.core.validation import refuse_members
from localaws.services.cloudwatch import alarm_messages
from localaws.services.cloudwatch.alarm_evaluation import OPERATORS, TREATMENTS, Rule, evaluate

LOG = logging.getLogger("localaws.alarms")
MINUTE = 60
TEN_SECONDS = 10
HIGH_RESOLUTION = (10, 20, 30)
ACTION_SERVICES = ("sns", "lambda")
ACTION_MEMBERS = ("AlarmActions", "OKActions", "InsufficientDataActions")
MEMBERS = {
    *(
        "AlarmName",
        "AlarmDescription",
        "ActionsEnabled",
        *ACTION_MEMBERS,
        "MetricName",
        "Namespace",
        "Statistic",
    ),
    *("ExtendedStatistic", "Dimensions", "Period", "EvaluationPeriods", "DatapointsToAlarm", "Threshold"),
    *("ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile", "Tags"),
}


def put_metric_alarm(account: Account, request: Json) -> Json:
    _check(request)
    backend = cloudwatch_backends[ACCOUNT_ID][account.region]
    before = backend.alarms.get(request["AlarmName"])
    alarm = backend.put_metric_alarm(
        name=request["AlarmName"],
        namespace=request["Namespace"],
        metric_name=request["MetricName"],
        comparison_operator=request["ComparisonOperator"],
        evaluation_periods=int(request["EvaluationPeriods"]),
        datapoints_to_alarm=request.get("DatapointsToAlarm"),
        period=int(request["Period"]),
        threshold=float(request["Threshold"]),
        statistic=request.get("Statistic"),  # type: ignore[arg-type]
        extended_statistic=request.get("ExtendedStatistic"),
        description=request.get("AlarmDescription"),  # type: ignore[arg-type]
        dimensions=request.get("Dimensions", []),
        alarm_actions=request.get("AlarmActions", []),
        ok_actions=request.get("OKActions", []),
        insufficient_data_actions=request.get("InsufficientDataActions", []),
        actions_enabled=request.get("ActionsEnabled", True),
        treat_missing_data=request.get("TreatMissingData"),
        evaluate_low_sample_count_percentile=request.get("EvaluateLowSampleCountPercentile"),
        tags=request.get("Tags"),
    )
    if before is None:
        alarm.state_value = "INSUFFICIENT_DATA"  # as a new alarm begins on AWS
    else:  # a new configuration leaves the state
        alarm.state_value, alarm.state_reason = before.state_value, before.state_reason
        alarm.state_reason_data, alarm.history = before.state_reason_data, before.history
        alarm.state_updated_timestamp = before.state_updated_timestamp
    return {}


def refuse_composite(_account: Account, _request: Json) -> Json:
    raise ServiceError("ValidationError", "The local AWS does not support composite alarms.")


def set_alarm_state(account: Account, request: Json) -> Json:
    alarm = cloudwatch_backends[ACCOUNT_ID][account.region].alarms.get(request["AlarmName"])
    if alarm is None:
        raise ServiceError("ResourceNotFound", f"The alarm {request['AlarmName']} does not exist.", 404)
    if request["StateValue"] not in ("OK", "ALARM", "INSUFFICIENT_DATA"):
        raise ServiceError("ValidationError", f"StateValue {request['StateValue']} is none of an alarm's.")
    _change(
        account, alarm, request["StateValue"], request["StateReason"], request.get("StateReasonData") or "{}"
    )
    return {}


def listen(account: Account) -> None:
    threading.Thread(target=_watch_clock, args=(account,), name="alarms", daemon=True).start()


def _watch_clock(account: Account) -> None:
    step = account.clock.seconds(TEN_SECONDS)
    number = int(time.time() / step) + 1  # of ten AWS's seconds, since the epoch
    while True:
        time.sleep(max(0.0, number * step - time.time()))
        for alarm in list(cloudwatch_backends[ACCOUNT_ID][account.region].alarms.values()):
            every = TEN_SECONDS if alarm.period in HIGH_RESOLUTION else MINUTE
            if number % (every // TEN_SECONDS):
                continue
            try:
                evaluate_alarm(account, alarm, number * step)
            except Exception:  # one alarm's fault is not the others'
                LOG.exception("a fault of the local AWS itself, in alarm %s", alarm.name)
        number += 1  # late or not, each minute is looked at: its datapoints may be the only ones to cross


def evaluate_alarm(account: Account, alarm: Alarm, now: float) -> None:
    """Look at the periods that end at `now`."""
    rule = Rule(
        threshold=alarm.threshold,
        comparison=alarm.comparison_operator,
        evaluation_periods=alarm.evaluation_periods,
        datapoints_to_alarm=alarm.datapoints_to_alarm or alarm.evaluation_periods,
        missing=alarm.treat_missing_data or "missing",
    )
    period = account.clock.seconds(alarm.period)
    key = metric(
        alarm.namespace, alarm.metric_name, {str(item.name): str(item.value) for item in alarm.dimensions}
    )
    statistic = alarm.statistic or str(alarm.extended_statistic)
    datapoints = [
        account.metrics.summary(key, now - (age + 1) * period, now - age * period).statistic(statistic)
        for age in range(rule.range)
    ]
    verdict = evaluate(rule, datapoints)
    if verdict is None or verdict.state == alarm.state_value:
        return
    data = {
        "version": "1.0",
        "queryDate": alarm_messages.timestamp(now),
        "statistic": statistic,
        "period": alarm.period,
        "recentDatapoints": [value for value in reversed(datapoints) if value is not None],
        "threshold": alarm.threshold,
    }
    _change(account, alarm, verdict.state, verdict.reason, json.dumps(data))


def _change(account: Account, alarm: Alarm, state: str, reason: str, reason_data: str) -> None:
    """Run actions and send events only if the state has changed."""
    before = alarm_messages.State.of(alarm)
    alarm.update_state(reason, reason_data, state)
    if before.value == state:
        return
    LOG.info("alarm %s: %s -> %s: %s", alarm.name, before.value, state, reason)
    alarm_messages.publish_change(account, alarm, before)
    if alarm.actions_enabled:
        alarm_messages.run_actions(account, alarm, before)


def _check(request: Json) -> None:
    refuse_members(request, MEMBERS, "PutMetricAlarm")
    for member in (
        "MetricName",
        "Namespace",
        "Period",
        "EvaluationPeriods",
        "Threshold",
        "ComparisonOperator",
    ):
        if member not in request:
            raise _invalid(f"{member} must be given.")
    statistic, percentile = request.get("Statistic"), request.get("ExtendedStatistic")
    if (statistic is None) == (percentile is None):
        raise _invalid("Either Statistic or ExtendedStatistic must be given.")
    if percentile is not None and not is_percentile(percentile):
        raise _invalid(
            f"The local AWS supports percentiles as ExtendedStatistic, such as p90; got {percentile}."
        )
    if request["ComparisonOperator"] not in OPERATORS:
        raise _invalid(f"The local AWS does not support ComparisonOperator {request['ComparisonOperator']}.")
    if request.get("TreatMissingData", "missing") not in TREATMENTS:
        raise _invalid(f"TreatMissingData {request['TreatMissingData']} is none of {', '.join(TREATMENTS)}.")
    if request.get("EvaluateLowSampleCountPercentile", "evaluate") != "evaluate":
        raise _invalid("The local AWS supports EvaluateLowSampleCountPercentile evaluate only.")
    period, periods = int(request["Period"]), int(request["EvaluationPeriods"])
    if period not in HIGH_RESOLUTION and (period < MINUTE or period % MINUTE):
        raise _invalid(f"Period must be 10, 20, 30 or a multiple of 60, got {period}.")
    if not 1 <= request.get("DatapointsToAlarm", periods) <= periods:
        raise _invalid(f"DatapointsToAlarm must be from 1 to EvaluationPeriods ({periods}).")
    for member in ACTION_MEMBERS:
        for arn in request.get(member, []):
            if arn.split(":")[2] not in ACTION_SERVICES:
                raise _invalid(f"The local AWS does not support the alarm action {arn}.")


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationError", message)
