"""Metrics of real invocations, and alarms that read them: one of AWS's minutes takes a second here."""

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.sagemaker.endpoints.serving import answer, asking, canary, configuration, deploy, settle

Wait = Callable[[Callable[[], bool]], None]
BROKEN = """
def model_fn(model_dir):
    return None

def transform_fn(model, content, content_type, accept):
    raise ValueError("this version is broken")
"""


def test_invocations_become_metrics(local: Any, wait_until: Wait) -> None:
    config = configuration(local, "one", serverless=False)
    endpoint = deploy(local, wait_until, config)
    runtime = local.client("sagemaker-runtime")
    for _ in range(3):
        answer(runtime, endpoint)
    for body in (b"bad", b"raise"):
        with pytest.raises(ClientError):
            runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="text/csv")
    assert statistic(local, endpoint, "Invocations", "Sum") == 5
    assert statistic(local, endpoint, "Invocation4XXErrors", "Sum") == 1
    assert statistic(local, endpoint, "Invocation5XXErrors", "Average") == 0.2
    assert statistic(local, endpoint, "Invocations", "Sum", EndpointConfigName=config) == 5
    assert statistic(local, endpoint, "InvocationsPerInstance", "Sum") == 2.5  # of two
    slowest = statistic(local, endpoint, "ModelLatency", "Maximum")
    assert 500 < slowest < 5_000_000  # microseconds
    assert statistic(local, endpoint, "ModelLatency", "p50") <= slowest
    found = local.client("cloudwatch").list_metrics(
        Namespace="AWS/SageMaker",
        MetricName="OverheadLatency",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}],
    )["Metrics"]
    assert len(found) == 2  # with and without EndpointConfigName
    with pytest.raises(ClientError, match=f"Variant Other not found for endpoint {endpoint}"):
        runtime.invoke_endpoint(EndpointName=endpoint, TargetVariant="Other", Body=b"1")
    local.client().delete_endpoint(EndpointName=endpoint)


def test_failing_requests_roll_an_update_back(local: Any, wait_until: Wait) -> None:
    old = configuration(local, "old", serverless=False)
    endpoint = deploy(local, wait_until, old)
    broken = configuration(local, "broken", inference=BROKEN, serverless=False)
    alarm = f"{endpoint}-errors"
    events: list[dict[str, Any]] = []
    listener = events.append
    local.account.event_listeners.append(listener)
    put_alarm(
        local,
        alarm,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=dimensions(EndpointName=endpoint, VariantName="AllTraffic"),
    )
    with asking(local, endpoint, model_may_fail=True) as seen:
        wait_until(lambda: state(local, alarm)["StateValue"] == "OK")
        local.client().update_endpoint(
            EndpointName=endpoint, EndpointConfigName=broken, DeploymentConfig=canary(alarm, wait=3600)
        )
        described = settle(local, wait_until, endpoint)
        settled = len(seen)
        wait_until(lambda: len(seen) > settled + 20)
    local.account.event_listeners.remove(listener)
    assert described["EndpointConfigName"] == old
    assert alarm in described["FailureReason"]
    event = next(  # on a slow machine a minute without failures may follow, and another alarm
        item
        for item in events
        if item["detail"].get("alarmName") == alarm and item["detail"]["state"]["value"] == "ALARM"
    )
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["detail"]["previousState"]["value"] == "OK"
    assert event["detail"]["state"]["reason"].startswith("Threshold Crossed: 1 out of the last 1 datapoint [")
    (described_metric,) = event["detail"]["configuration"]["metrics"]
    assert described_metric["metricStat"]["metric"]["dimensions"]["EndpointName"] == endpoint
    assert described_metric["metricStat"]["period"] == 60
    wait_until(lambda: state(local, alarm)["StateValue"] == "OK")  # the errors have stopped
    local.client("cloudwatch").delete_alarms(AlarmNames=[alarm])
    local.client().delete_endpoint(EndpointName=endpoint)


def test_metrics_of_ones_own(local: Any, wait_until: Wait) -> None:
    cloudwatch = local.client("cloudwatch")
    alarm = f"own-{uuid.uuid4().hex[:8]}"
    topic = local.client("sns").create_topic(Name=alarm)["TopicArn"]
    queue = local.client("sqs").create_queue(QueueName=alarm)["QueueUrl"]
    local.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=local.account.arn("sqs", alarm))
    local.client("sns").set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudwatch.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": topic,
                    "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
                },
            }
        ),
    )
    own = {"MetricName": alarm, "ExtendedStatistic": "p90", "Statistic": None, "AlarmActions": [topic]}
    # Without data it stays as it begins, however soon it is evaluated.
    put_alarm(local, alarm, **own, TreatMissingData="ignore")
    assert state(local, alarm)["StateValue"] == "INSUFFICIENT_DATA"
    put_alarm(local, alarm, **own)
    wait_until(lambda: state(local, alarm)["StateValue"] == "OK")
    cloudwatch.put_metric_data(
        Namespace="Test",
        MetricData=[{"MetricName": alarm, "Values": [0, 7], "Counts": [8, 2], "Unit": "None"}],
    )
    messages: list[str] = []

    def told() -> bool:
        received = local.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        messages.extend(json.loads(item["Body"])["Message"] for item in received.get("Messages", []))
        return bool(messages)

    wait_until(told)  # the state itself is that of one minute, a second here, and may be over
    message = json.loads(messages[0])
    assert (message["AlarmName"], message["NewStateValue"]) == (alarm, "ALARM")
    assert "[7.0] was greater than or equal to the threshold (1.0)" in message["NewStateReason"]
    assert message["Trigger"]["Statistic"] == "p90"
    wait_until(lambda: state(local, alarm)["StateValue"] == "OK")
    cloudwatch.delete_alarms(AlarmNames=[alarm])


def test_what_is_refused(local: Any) -> None:
    cloudwatch = local.client("cloudwatch")
    for changes, message in (
        ({"Unit": "Count"}, "does not support Unit of PutMetricAlarm"),
        ({"Statistic": None, "ExtendedStatistic": "tm90"}, "supports percentiles as ExtendedStatistic"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "GreaterThanUpperThreshold"),
        ({"Period": 90}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "does not support the alarm action arn"),
        ({"DatapointsToAlarm": 2}, r"DatapointsToAlarm must be from 1 to EvaluationPeriods \(1\)"),
    ):
        with pytest.raises(ClientError, match=message):
            put_alarm(local, "refused", **changes)
    with pytest.raises(ClientError, match="does not support composite alarms"):
        cloudwatch.put_composite_alarm(AlarmName="refused", AlarmRule="ALARM(x)")
    with pytest.raises(ClientError, match="does not exist"):
        cloudwatch.set_alarm_state(AlarmName="refused", StateValue="OK", StateReason="x")
    with pytest.raises(ClientError, match="does not support Expression of MetricDataQueries"):
        cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "a", "Expression": "1+1"}],
            StartTime=datetime.now(UTC) - timedelta(hours=1),
            EndTime=datetime.now(UTC),
        )


def test_a_late_evaluation_misses_no_minute(local: Any, wait_until: Wait) -> None:
    late, other = (f"late-{name}-{uuid.uuid4().hex[:8]}" for name in ("first", "other"))
    changes: list[str] = []

    def listener(event: dict[str, Any]) -> None:
        if event["detail"].get("alarmName") not in (late, other):
            return
        changes.append(f"{event['detail']['alarmName']} {event['detail']['state']['value']}")
        if changes[-1] == f"{late} ALARM":
            put_value(local, other)
            time.sleep(4)  # of AWS's minutes, in which no alarm is looked at

    for alarm in (late, other):
        put_alarm(local, alarm, MetricName=alarm)
        wait_until(lambda alarm=alarm: state(local, alarm)["StateValue"] == "OK")  # type: ignore[misc]
    local.account.event_listeners.append(listener)
    put_value(local, late)
    wait_until(lambda: f"{other} ALARM" in changes)
    local.account.event_listeners.remove(listener)
    local.client("cloudwatch").delete_alarms(AlarmNames=[late, other])


def put_value(local: Any, metric: str) -> None:
    local.client("cloudwatch").put_metric_data(
        Namespace="Test", MetricData=[{"MetricName": metric, "Value": 7}]
    )


def put_alarm(local: Any, name: str, **changes: Any) -> None:
    alarm = {
        "AlarmName": name,
        "Namespace": "Test",
        "MetricName": "Nothing",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    } | changes
    local.client("cloudwatch").put_metric_alarm(
        **{key: value for key, value in alarm.items() if value is not None}
    )


def state(local: Any, alarm: str) -> dict[str, Any]:
    (found,) = local.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    described: dict[str, Any] = found
    return described


def statistic(local: Any, endpoint: str, name: str, stat: str, **more: str) -> float:
    (result,) = local.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": "a",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SageMaker",
                        "MetricName": name,
                        "Dimensions": dimensions(EndpointName=endpoint, VariantName="AllTraffic", **more),
                    },
                    "Period": 86_400,
                    "Stat": stat,
                },
            }
        ],
        StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
    )["MetricDataResults"]
    value: float = result["Values"][0]
    return value


def dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]
