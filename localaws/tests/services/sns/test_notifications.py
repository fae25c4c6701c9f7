"""Events and alarms reach a topic's subscribers as text, if the topic's policy lets EventBridge publish."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.services.sns.publishing import target_input

EVENT = {
    "time": "2026-11-24T12:00:00Z",
    "resources": ["arn:one", "arn:two"],
    "detail": {"state": "FAILED", "execution-result": {"external-execution-summary": 'He said "no"'}},
}


def transformer(template: str, **paths: str) -> dict[str, Any]:
    return {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, json.dumps(EVENT)),
        ({"Input": '"always this"'}, '"always this"'),
        ({"InputPath": "$.detail.state"}, '"FAILED"'),
        (
            transformer(
                '"It is <state>: <why>."\n"See <link>"',
                state="$.detail.state",
                why="$.detail.execution-result.external-execution-summary",
                link="$.resources[1]",
            ),
            '"It is FAILED: He said "no"."\n"See arn:two"',
        ),
        (transformer('"<gone>!"', gone="$.detail.nothing.here"), '"!"'),
        (transformer('{"all": <detail>}', detail="$.resources"), '{"all": ["arn:one", "arn:two"]}'),
    ],
)
def test_what_a_target_gets_of_an_event(target: dict[str, Any], expected: str) -> None:
    assert target_input(target, EVENT) == expected


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (transformer('"<other>"', state="$.detail.state"), "placeholder <other>"),
        (transformer("no quotes <state>", state="$.detail.state"), "neither JSON nor quoted text"),
        (transformer('"<state>"', state="$.detail[?(@.x)]"), "input path"),
    ],
)
def test_what_eventbridge_refuses_is_refused(target: dict[str, Any], error: str) -> None:
    with pytest.raises(ServiceError, match=error):
        target_input(target, EVENT)


def template(*, allows: str) -> dict[str, Any]:
    topic = {"Ref": "Topic"}
    return {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "told", "DisplayName": "Told"}},
            "Policy": {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {
                    "Topics": [topic],
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Principal": {"Service": allows},
                                "Action": "sns:Publish",
                                "Resource": topic,
                            }
                        ],
                    },
                },
            },
            "Mail": {
                "Type": "AWS::SNS::Subscription",
                "Properties": {"TopicArn": topic, "Protocol": "email", "Endpoint": "ops@example.com"},
            },
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": "too-slow",
                    "AlarmDescription": "It answers slowly",
                    "Namespace": "AWS/SageMaker",
                    "MetricName": "ModelLatency",
                    "Statistic": "Average",
                    "Period": 60,
                    "EvaluationPeriods": "3",
                    "Threshold": 1000,
                    "ComparisonOperator": "GreaterThanThreshold",
                    # So that its evaluation, which finds no data, leaves the state as the test sets it.
                    "TreatMissingData": "ignore",
                },
            },
            "Dashboard": {
                "Type": "AWS::CloudWatch::Dashboard",
                "Properties": {
                    "DashboardName": "told",
                    "DashboardBody": '{"widgets": []}',
                    "Tags": [{"Key": "team", "Value": "ml"}],
                },
            },
            "Budget": {
                "Type": "AWS::Budgets::Budget",
                "Properties": {
                    "ResourceTags": [{"Key": "team", "Value": "ml"}],
                    "Budget": {
                        "BudgetName": "told",
                        "BudgetType": "COST",
                        "TimeUnit": "MONTHLY",
                        "BudgetLimit": {"Amount": 20, "Unit": "USD"},
                    },
                    "NotificationsWithSubscribers": [
                        {
                            "Notification": {
                                "NotificationType": "ACTUAL",
                                "ComparisonOperator": "GREATER_THAN",
                                "Threshold": 80,
                            },
                            "Subscribers": [{"SubscriptionType": "SNS", "Address": topic}],
                        }
                    ],
                },
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {
                        "source": ["aws.cloudwatch"],
                        "detail-type": ["CloudWatch Alarm State Change"],
                        "detail": {"alarmName": ["too-slow"], "state": {"value": ["ALARM"]}},
                    },
                    "Targets": [
                        {
                            "Id": "Topic",
                            "Arn": topic,
                            **transformer(
                                '"<name>: <what>. <why>"',
                                name="$.detail.alarmName",
                                what="$.detail.configuration.description",
                                why="$.detail.state.reason",
                            ),
                        }
                    ],
                },
            },
        }
    }


@pytest.fixture
def deploy(local_aws: Account) -> Iterator[Callable[..., None]]:
    cloudformation = local_aws.client("cloudformation")

    def wait(status: str) -> None:
        for _ in range(200):
            stacks = cloudformation.describe_stacks()["Stacks"]
            found = [stack for stack in stacks if stack["StackName"] == "told"]
            if status == "" and not found:
                return
            if found and found[0]["StackStatus"] == status:
                return
            assert not found or "ROLLBACK" not in found[0]["StackStatus"], (
                cloudformation.describe_stack_events(StackName="told")["StackEvents"]
            )
            time.sleep(0.05)
        raise AssertionError("the stack did not settle")

    def deployed(body: dict[str, Any]) -> None:
        cloudformation.create_stack(StackName="told", TemplateBody=json.dumps(body))
        wait("CREATE_COMPLETE")

    yield deployed
    cloudformation.delete_stack(StackName="told")
    wait("")


@pytest.fixture
def messages(local_aws: Account) -> Callable[[], list[str]]:
    """Subscribe a queue to the topic; give what has come."""
    sqs = local_aws.client("sqs")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    sns = local_aws.client("sns")

    def received() -> list[str]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["Message"] for message in found]

    def subscribe() -> list[str]:
        arn = local_aws.arn("sns", "told")
        if not [
            each
            for each in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
            if each["Protocol"] == "sqs"
        ]:
            sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=local_aws.arn("sqs", "told"))
        return received()

    return subscribe


def set_alarm(account: Account, state: str) -> None:
    account.client("cloudwatch").set_alarm_state(
        AlarmName="too-slow", StateValue=state, StateReason="Three points were above 1000."
    )


def test_an_alarm_reaches_the_topics_subscribers_once(
    local_aws: Account, deploy: Callable[..., None], messages: Callable[[], list[str]]
) -> None:
    deploy(template(allows="events.amazonaws.com"))
    assert messages() == []
    set_alarm(local_aws, "ALARM")
    set_alarm(local_aws, "ALARM")
    set_alarm(local_aws, "OK")
    assert messages() == ['"too-slow: It answers slowly. Three points were above 1000."']
    subscriptions = local_aws.client("sns").list_subscriptions()["Subscriptions"]
    assert "ops@example.com" in {each["Endpoint"] for each in subscriptions}
    budgets = local_aws.client("budgets").describe_budgets(AccountId="123456789012")["Budgets"]
    assert [budget["BudgetLimit"]["Amount"] for budget in budgets] == ["20"]


def test_a_topic_that_does_not_let_eventbridge_publish_gets_nothing(
    local_aws: Account,
    deploy: Callable[..., None],
    messages: Callable[[], list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    deploy(template(allows="budgets.amazonaws.com"))
    messages()
    with caplog.at_level(logging.ERROR, logger="localaws.events"):
        set_alarm(local_aws, "ALARM")
    assert messages() == []
    assert "events.amazonaws.com is not allowed to sns:Publish" in caplog.text


def test_deleting_the_stack_leaves_nothing(local_aws: Account) -> None:
    topic = local_aws.arn("sns", "told")
    cloudwatch, sns = local_aws.client("cloudwatch"), local_aws.client("sns")
    assert cloudwatch.describe_alarms(AlarmNames=["too-slow"])["MetricAlarms"] == []
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
    assert topic not in [each["TopicArn"] for each in sns.list_topics()["Topics"]]
    assert topic not in [each["TopicArn"] for each in sns.list_subscriptions()["Subscriptions"]]
    assert local_aws.client("budgets").describe_budgets(AccountId="123456789012")["Budgets"] == []
