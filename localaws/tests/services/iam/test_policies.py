"""The policy language, against what the IAM User Guide documents."""

import json
from typing import Any

import pytest

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.core.permission import Operation
from localaws.gateway.permissions import permissions
from localaws.registry import PERMISSIONS
from localaws.services.iam.policies import Decision, Request, decide

OBJECT = "arn:aws:s3:::data/raw/digits.csv"


def statement(effect: str = "Allow", **elements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, **elements}]})


def decision(*documents: str, action: str = "s3:GetObject", resource: str = OBJECT) -> Decision:
    return decide(documents, Request(action, resource))


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("s3:GetObject", OBJECT, Decision.ALLOWED),
        ("s3:get*", OBJECT, Decision.ALLOWED),
        ("*", "*", Decision.ALLOWED),
        ("s3:GetObject", "arn:aws:s3:::data/*", Decision.ALLOWED),
        ("s3:GetObject", "arn:aws:s3:::dat?/raw/digits.csv", Decision.ALLOWED),
        ("s3:GetObject", "arn:aws:s3:::data", Decision.NOT_MENTIONED),
        ("s3:GetObject", "arn:aws:s3:::DATA/*", Decision.NOT_MENTIONED),
        ("s3:PutObject", "*", Decision.NOT_MENTIONED),
    ],
)
def test_actions_ignore_case_and_resources_do_not(action: str, resource: str, expected: Decision) -> None:
    assert decision(statement(Action=action, Resource=resource)) is expected


def test_a_deny_wins_wherever_it_stands() -> None:
    allow, deny = statement(Action="*", Resource="*"), statement("Deny", Action="s3:*", Resource="*")
    assert decision(allow, deny) is decision(deny, allow) is Decision.DENIED


def test_not_action_and_not_resource_mean_all_others() -> None:
    assert decision(statement(NotAction="iam:*", Resource="*")) is Decision.ALLOWED
    assert decision(statement(NotAction="s3:*", Resource="*")) is Decision.NOT_MENTIONED
    assert decision(statement(Action="s3:*", NotResource="arn:aws:s3:::data/*")) is Decision.NOT_MENTIONED


def test_an_action_without_a_resource_needs_a_statement_about_all() -> None:
    assert (
        decision(statement(Action="s3:*", Resource="arn:aws:s3:::*"), resource="*") is Decision.NOT_MENTIONED
    )


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "holds"),
    [
        ("StringEquals", "sagemaker.amazonaws.com", ["sagemaker.amazonaws.com"], True),
        ("StringEquals", "sagemaker.amazonaws.com", ["events.amazonaws.com"], False),
        ("StringEquals", "x", None, False),
        ("StringEqualsIfExists", "x", None, True),
        ("StringEqualsIfExists", "x", ["y"], False),
        ("StringNotEquals", "x", None, True),
        ("StringNotEquals", "x", ["x"], False),
        ("StringLike", "sage*", ["sagemaker.amazonaws.com"], True),
        ("ArnLike", "arn:aws:iam::*:role/a*", ["arn:aws:iam::1:role/abc"], True),
        ("Bool", "false", ["true"], False),
        ("Bool", False, ["false"], True),
        ("Null", "true", None, True),
        ("Null", "true", ["x"], False),
        ("NumericLessThan", "5", ["3"], True),
        ("ForAnyValue:StringEquals", ["a", "b"], ["z", "b"], True),
        ("ForAnyValue:StringEquals", ["a", "b"], None, False),
        ("ForAllValues:StringEquals", ["a", "b"], ["a", "z"], False),
        ("ForAllValues:StringEquals", ["a", "b"], None, True),
        ("ForAllValues:StringLike", ["a*", "b"], ["ab", "b"], True),
        ("ForAnyValue:StringNotLike", ["a*", "b"], ["ab", "z"], True),
        ("ForAnyValue:StringNotLike", ["a*", "b"], ["ab", "b"], False),
        ("ForAnyValue:StringNotLike", ["a*", "b"], None, False),
        ("ForAllValues:StringNotEquals", ["a"], ["b", "a"], False),
    ],
)
def test_conditions(operator: str, wanted: Any, given: list[str] | None, holds: bool) -> None:
    document = statement(Action="*", Resource="*", Condition={operator: {"iam:PassedToService": wanted}})
    context = {} if given is None else {"iam:passedtoservice": given}
    assert decide([document], Request("iam:PassRole", "*", context)) is (
        Decision.ALLOWED if holds else Decision.NOT_MENTIONED
    )


def test_what_is_not_implemented_is_named() -> None:
    with pytest.raises(ServiceError, match="StringSortOfLike"):
        decision(statement(Action="*", Resource="*", Condition={"StringSortOfLike": {"a": "b"}}))
    with pytest.raises(ServiceError, match="aws:username"):
        decision(statement(Action="*", Resource="arn:aws:s3:::home/${aws:username}/*"))


ARN = "arn:aws:{}:us-east-1:123456789012:{}"
ROLE = "arn:aws:iam::123456789012:role/execution"


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        ("sagemaker", "ListEndpoints", {}, [("sagemaker:ListEndpoints", "*")]),
        (
            "sagemaker",
            "CreateModel",
            {"ModelName": "m", "ExecutionRoleArn": ROLE, "Tags": [{"Key": "a", "Value": "b"}]},
            [
                ("sagemaker:CreateModel", ARN.format("sagemaker", "model/m")),
                ("sagemaker:AddTags", ARN.format("sagemaker", "model/m")),
                ("iam:PassRole", ROLE),
            ],
        ),
        (
            "sagemaker",
            "CreateEndpoint",
            {"EndpointName": "e", "EndpointConfigName": "c"},
            [
                ("sagemaker:CreateEndpoint", ARN.format("sagemaker", "endpoint/e")),
                ("sagemaker:CreateEndpoint", ARN.format("sagemaker", "endpoint-config/c")),
            ],
        ),
        (
            "sagemaker-runtime",
            "InvokeEndpoint",
            {"EndpointName": "e"},
            [("sagemaker:InvokeEndpoint", ARN.format("sagemaker", "endpoint/e"))],
        ),
        (
            "codebuild",
            "BatchGetBuilds",
            {"ids": ["p:1", "q:2"]},
            [
                ("codebuild:BatchGetBuilds", ARN.format("codebuild", "project/p")),
                ("codebuild:BatchGetBuilds", ARN.format("codebuild", "project/q")),
            ],
        ),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/aws/x", "logStreamName": "s"},
            [("logs:PutLogEvents", ARN.format("logs", "log-group:/aws/x:log-stream:s"))],
        ),
        ("ssm", "GetParameter", {"Name": "/a/b"}, [("ssm:GetParameter", ARN.format("ssm", "parameter/a/b"))]),
        (
            "events",
            "PutTargets",
            {"Rule": "r", "Targets": [{"Id": "1", "RoleArn": ROLE}]},
            [("events:PutTargets", ARN.format("events", "rule/r")), ("iam:PassRole", ROLE)],
        ),
        (
            "s3",
            "CopyObject",
            {"Bucket": "b", "Key": "k", "CopySource": "c/d%20e"},
            [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::c/d e")],
        ),
        ("s3", "ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    ],
)
def test_permissions_of_operations(
    local_aws: Account,
    service: str,
    operation: str,
    parameters: dict[str, Any],
    expected: list[tuple[str, str]],
) -> None:
    needed = permissions(local_aws, PERMISSIONS[service], Operation(service, operation, parameters, "json"))
    assert [(permission.action, permission.resource) for permission in needed] == expected
