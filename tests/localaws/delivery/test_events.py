import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localaws.account import Account

Json = dict[str, Any]
RULE = "on-push"


class Pipelines:
    """Stands in for CodePipeline: remembers what was started."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str]] = []

    def start_for_rule(self, name: str, rule_arn: str) -> str:
        self.started.append((name, rule_arn))
        return "an-execution"


@pytest.fixture
def pipelines(account: Account, monkeypatch: pytest.MonkeyPatch) -> Pipelines:
    pipelines = Pipelines()
    monkeypatch.setitem(account.services, "codepipeline", pipelines)
    monkeypatch.setattr("localaws.events.CodePipeline", Pipelines)
    return pipelines


@pytest.fixture
def put_rule(account: Account) -> Iterator[Callable[..., str]]:
    """put_rule(target ARN, role ARN, State=…): the rule's ARN."""
    client = account.client("events")
    pattern = {
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        "resources": [account.arn("codecommit", "repo")],
        "detail": {"event": ["referenceCreated", "referenceUpdated"], "referenceName": ["main"]},
    }

    def put(target: str, role: str, **members: str) -> str:
        arn = client.put_rule(Name=RULE, EventPattern=json.dumps(pattern), **members)["RuleArn"]
        client.put_targets(Rule=RULE, Targets=[{"Id": "Target0", "Arn": target, "RoleArn": role}])
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
    rule = put_rule(account.arn("codepipeline", "factory"), role)
    push(account, branch="other")
    assert pipelines.started == []
    push(account)
    assert pipelines.started == [("factory", rule)]


def test_a_disabled_rule_starts_nothing(
    account: Account, pipelines: Pipelines, put_rule: Callable[..., str], make_role: Callable[..., str]
) -> None:
    role = make_role("events.amazonaws.com", "codepipeline:StartPipelineExecution")
    put_rule(account.arn("codepipeline", "factory"), role, State="DISABLED")
    push(account)
    assert pipelines.started == []


@pytest.mark.parametrize(
    ("principal", "permission", "resource", "reason"),
    [
        ("events.amazonaws.com", "s3:GetObject", "codepipeline", "codepipeline:StartPipelineExecution"),
        ("codebuild.amazonaws.com", "codepipeline:*", "codepipeline", "trust policy"),
        ("events.amazonaws.com", "kinesis:PutRecord", "kinesis", "does not support targets of kinesis"),
    ],
)
def test_what_cannot_be_started_is_logged(
    account: Account,
    pipelines: Pipelines,
    put_rule: Callable[..., str],
    make_role: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
    principal: str,
    permission: str,
    resource: str,
    reason: str,
) -> None:
    put_rule(account.arn(resource, "factory"), make_role(principal, permission))
    with caplog.at_level(logging.ERROR, logger="localaws.events"):
        push(account)
    assert pipelines.started == []
    assert "FailedInvocation" in caplog.text and reason in caplog.text
