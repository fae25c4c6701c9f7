import io
import json
import logging
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localaws.core.account import Account

Json = dict[str, Any]
RULE = "on-push"


class Pipelines:
    """Stands in for CodePipeline: remembers what was started."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str, Json]] = []

    def start_for_rule(self, name: str, rule_arn: str, target_input: Json) -> str:
        self.started.append((name, rule_arn, target_input))
        return "an-execution"


@pytest.fixture
def pipelines(account: Account, monkeypatch: pytest.MonkeyPatch) -> Pipelines:
    pipelines = Pipelines()
    monkeypatch.setitem(account.services, "codepipeline", pipelines)
    monkeypatch.setattr("localaws.services.events.service.CodePipeline", Pipelines)
    return pipelines


@pytest.fixture
def put_rule(account: Account) -> Iterator[Callable[..., str]]:
    """Put a rule with the ARNs of its target and role: the rule's ARN."""
    client = account.client("events")
    pattern = {
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        "resources": [account.arn("codecommit", "repo")],
        "detail": {"event": ["referenceCreated", "referenceUpdated"], "referenceName": ["main"]},
    }

    def put(target: str, role: str, target_input: Json | None = None, **members: str) -> str:
        arn = client.put_rule(Name=RULE, EventPattern=json.dumps(pattern), **members)["RuleArn"]
        described = {"Id": "Target0", "Arn": target, "RoleArn": role}
        if target_input:
            described["Input"] = json.dumps(target_input)
        client.put_targets(Rule=RULE, Targets=[described])
        return str(arn)

    yield put
    client.remove_targets(Rule=RULE, Ids=["Target0"])
    client.delete_rule(Name=RULE)


def push(account: Account, branch: str = "main") -> None:
    account.publish_event(
        source="aws.codecommit",
        detail_type="CodeCommit Repository State Change",
        detail={"event": "referenceUpdated", "referenceType": "branch", "referenceName": branch},
        resources=[account.arn("codecommit", "repo")],
    )


def test_a_matching_event_starts_the_pipeline_once(
    account: Account, pipelines: Pipelines, put_rule: Callable[..., str], make_role: Callable[..., str]
) -> None:
    role = make_role("events.amazonaws.com", "codepipeline:StartPipelineExecution")
    variables = {"variables": [{"name": "TriggerReason", "value": "push"}]}
    rule = put_rule(account.arn("codepipeline", "factory"), role, variables)
    push(account, branch="other")
    assert pipelines.started == []
    push(account)
    assert pipelines.started == [("factory", rule, variables)]


def test_a_disabled_rule_starts_nothing(
    account: Account, pipelines: Pipelines, put_rule: Callable[..., str], make_role: Callable[..., str]
) -> None:
    role = make_role("events.amazonaws.com", "codepipeline:StartPipelineExecution")
    put_rule(account.arn("codepipeline", "factory"), role, State="DISABLED")
    push(account)
    assert pipelines.started == []


@pytest.mark.parametrize(
    ("permission", "resource", "reason"),
    [
        ("s3:GetObject", "codepipeline", "codepipeline:StartPipelineExecution"),
        ("kinesis:PutRecord", "kinesis", "does not support targets of kinesis"),
    ],
)
def test_what_cannot_be_started_is_logged(
    account: Account,
    pipelines: Pipelines,
    put_rule: Callable[..., str],
    make_role: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
    permission: str,
    resource: str,
    reason: str,
) -> None:
    put_rule(account.arn(resource, "factory"), make_role("events.amazonaws.com", permission))
    with caplog.at_level(logging.ERROR, logger="localaws.events"):
        push(account)
    assert pipelines.started == []
    assert "FailedInvocation" in caplog.text
    assert reason in caplog.text


FUNCTION = """
import boto3, os
def handler(event, context):
    key = event["detail"]["object"]["key"]
    boto3.client("s3").put_object(Bucket="event-results", Key=key, Body=event["detail"]["reason"])
"""


def zipped(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()


@pytest.fixture
def on_object(account: Account, make_role: Callable[..., str]) -> Iterator[str]:
    """The ARN of a rule that calls a function for each object under raw/ of the bucket event-data."""
    s3, functions, events = (account.client(name) for name in ("s3", "lambda", "events"))
    for bucket in ("event-data", "event-results"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket="event-data", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    functions.create_function(
        FunctionName="on-object",
        Runtime="python3.13",
        Role=make_role("lambda.amazonaws.com", "s3:PutObject", "logs:*"),
        Handler="index.handler",
        Code={"ZipFile": zipped(FUNCTION)},
        Timeout=30,
    )
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["event-data"]}, "object": {"key": [{"prefix": "raw/"}]}},
    }
    rule = events.put_rule(Name="on-object", EventPattern=json.dumps(pattern))["RuleArn"]
    function = account.arn("lambda", "function:on-object")
    events.put_targets(Rule="on-object", Targets=[{"Id": "Target0", "Arn": function}])
    yield str(rule)
    events.remove_targets(Rule="on-object", Ids=["Target0"])
    events.delete_rule(Name="on-object")


def test_an_uploaded_object_calls_a_function_that_lets_the_rule(
    account: Account, on_object: str, caplog: pytest.LogCaptureFixture, eventually: Callable[..., Any]
) -> None:
    s3 = account.client("s3")

    def results() -> list[str]:
        return [item["Key"] for item in s3.list_objects_v2(Bucket="event-results").get("Contents", [])]

    with caplog.at_level(logging.ERROR, logger="localaws.events"):
        s3.put_object(Bucket="event-data", Key="raw/refused.csv", Body=b"1")
    assert "events.amazonaws.com is not authorized to perform: lambda:InvokeFunction" in caplog.text
    account.client("lambda").add_permission(
        FunctionName="on-object",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=on_object,
    )
    s3.put_object(Bucket="event-data", Key="elsewhere/a.csv", Body=b"1")
    s3.put_object(Bucket="event-data", Key="raw/a.csv", Body=b"1")
    assert eventually(results, 30.0) == ["raw/a.csv"]
    assert s3.get_object(Bucket="event-results", Key="raw/a.csv")["Body"].read() == b"PutObject"
