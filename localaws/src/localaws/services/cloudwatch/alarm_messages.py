"""Messages of an alarm's new state: the event, and the ones of its actions."""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from moto.cloudwatch.models import Alarm

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.services.awslambda import service as lambda_functions
from localaws.services.sns.publishing import publish

LOG = logging.getLogger("localaws.alarms")


@dataclass(frozen=True)
class State:
    value: str
    reason: str
    reason_data: str
    since: str

    @classmethod
    def of(cls, alarm: Alarm) -> "State":
        moment = alarm.state_updated_timestamp.replace(tzinfo=UTC).timestamp()
        return cls(
            alarm.state_value, str(alarm.state_reason), str(alarm.state_reason_data), timestamp(moment)
        )

    def detail(self) -> Json:
        return {
            "value": self.value,
            "reason": self.reason,
            "reasonData": self.reason_data,
            "timestamp": self.since,
        }


def timestamp(seconds: float) -> str:
    """A time as CloudWatch writes it: 2026-11-24T14:36:00.000+0000."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "+0000"


def publish_change(account: Account, alarm: Alarm, before: State) -> None:
    account.publish_event(
        source="aws.cloudwatch",
        detail_type="CloudWatch Alarm State Change",
        detail=_detail(alarm, before),
        resources=[alarm.alarm_arn],
    )


def run_actions(account: Account, alarm: Alarm, before: State) -> None:
    """An action that fails is logged, as CloudWatch notes it in the alarm's history."""
    actions = {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }
    for arn in actions[alarm.state_value]:
        try:
            if arn.split(":")[2] == "sns":
                context = {"aws:sourcearn": [alarm.alarm_arn], "aws:sourceaccount": [ACCOUNT_ID]}
                message = json.dumps(_message(account, alarm, before))
                publish(account, arn, message, service="cloudwatch.amazonaws.com", context=context)
            else:
                lambda_functions.invoke_for_service(
                    account,
                    arn,
                    json.dumps(_function_event(account, alarm, before)),
                    principal="lambda.alarms.cloudwatch.amazonaws.com",
                    source_arn=alarm.alarm_arn,
                )
        except ServiceError as error:
            LOG.error("action %s of alarm %s failed: %s", arn, alarm.name, error.message)


def _detail(alarm: Alarm, before: State) -> Json:
    stat = {
        "metric": {
            "namespace": alarm.namespace,
            "name": alarm.metric_name,
            "dimensions": {item.name: item.value for item in alarm.dimensions},
        },
        "period": alarm.period,
        "stat": alarm.statistic or alarm.extended_statistic,
    }
    return {
        "alarmName": alarm.name,
        "state": State.of(alarm).detail(),
        "previousState": before.detail(),
        "configuration": {
            "description": alarm.description or "",
            "metrics": [{"id": str(uuid4()), "metricStat": stat, "returnData": True}],
        },
    }


def _message(account: Account, alarm: Alarm, before: State) -> Json:
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT_ID,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": State.of(alarm).since,
        "Region": account.region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before.value,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic" if alarm.statistic else "ExtendedStatistic",
            "Statistic": alarm.statistic.upper() if alarm.statistic else alarm.extended_statistic,
            "Dimensions": [{"name": item.name, "value": item.value} for item in alarm.dimensions],
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data or "missing",
        },
    }


def _function_event(account: Account, alarm: Alarm, before: State) -> Json:
    detail = _detail(alarm, before)
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.alarm_arn,
        "accountId": ACCOUNT_ID,
        "time": State.of(alarm).since,
        "region": account.region,
        "alarmData": detail,
    }
