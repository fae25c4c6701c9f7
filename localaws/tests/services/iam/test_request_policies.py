"""Policies that are malformed or name a principal that does not exist are refused, in the service's words."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from localaws.core.account import Account

NOBODY = {"AWS": "arn:aws:iam::123456789012:role/nobody"}
NO_SERVICE = {"Service": "lamda.amazonaws.com"}


def policy(principal: Any, action: str, **elements: str) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, **elements}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def bucket(local_aws: Account) -> Iterator[str]:
    s3, name = local_aws.client("s3"), f"principals-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    yield name
    s3.delete_bucket(Bucket=name)


@pytest.mark.parametrize("principal", [NOBODY, NO_SERVICE, {"AWS": "nobody"}])
def test_a_bucket_policy_names_principals_that_exist(local_aws: Account, bucket: str, principal: Any) -> None:
    document = policy(principal, "s3:GetObject", Resource=f"arn:aws:s3:::{bucket}/*")
    with pytest.raises(ClientError, match=r"MalformedPolicy.*Invalid principal in policy"):
        local_aws.client("s3").put_bucket_policy(Bucket=bucket, Policy=document)


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "123456789012"},
        {"AWS": ["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:user/core-administrator"]},
        {"AWS": "arn:aws:iam::999999999999:role/of-another-account"},
        {"Service": ["logging.s3.amazonaws.com", "logs.us-east-1.amazonaws.com", "ecs-tasks.amazonaws.com"]},
    ],
)
def test_principals_that_exist_are_taken(local_aws: Account, bucket: str, principal: Any) -> None:
    document = policy(principal, "s3:GetObject", Resource=f"arn:aws:s3:::{bucket}/*")
    local_aws.client("s3").put_bucket_policy(Bucket=bucket, Policy=document)


@pytest.mark.parametrize("principal", [NOBODY, NO_SERVICE])
def test_so_do_keys_trust_policies_topics_queues_and_repositories(local_aws: Account, principal: Any) -> None:
    def refuses(service: str, operation: str, words: str, **request: Any) -> None:
        with pytest.raises(ClientError, match=words):
            getattr(local_aws.client(service), operation)(**request)

    key = policy(principal, "kms:*", Resource="*")
    refuses("kms", "create_key", "MalformedPolicyDocumentException.*invalid principals", Policy=key)
    trust = policy(principal, "sts:AssumeRole")
    name = next(iter(principal.values()))
    words = f'MalformedPolicyDocument.*Invalid principal in policy: "(AWS|SERVICE)":"{name}"'
    refuses("iam", "create_role", words, RoleName="refused", AssumeRolePolicyDocument=trust)
    topic = local_aws.client("sns").create_topic(Name="principals")["TopicArn"]
    publish = policy(principal, "sns:Publish", Resource=topic)
    attribute = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": publish}
    refuses("sns", "set_topic_attributes", "PrincipalNotFound", **attribute)
    send = {"Policy": policy(principal, "sqs:SendMessage", Resource="*")}
    refuses("sqs", "create_queue", "InvalidAttributeValue", QueueName="refused", Attributes=send)
    local_aws.client("ecr").create_repository(repositoryName="principals")
    pull = policy(principal, "ecr:BatchGetImage")
    request = {"repositoryName": "principals", "policyText": pull}
    refuses("ecr", "set_repository_policy", "Principal not found", **request)
    local_aws.client("ecr").delete_repository(repositoryName="principals")


def test_a_function_is_opened_to_principals_that_exist(local_aws: Account) -> None:
    statement = {"FunctionName": "any", "StatementId": "a", "Action": "lambda:InvokeFunction"}
    with pytest.raises(ClientError, match="The provided principal was invalid"):
        local_aws.client("lambda").add_permission(Principal="evnts.amazonaws.com", **statement)


TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}


@pytest.mark.parametrize(
    "statement",
    [
        {**TRUST, "Effect": "allow"},
        {**TRUST, "NotAction": "sts:TagSession"},
        {**TRUST, "Actoin": "sts:TagSession"},
        {key: value for key, value in TRUST.items() if key != "Action"},
        {key: value for key, value in TRUST.items() if key != "Effect"},
    ],
)
def test_a_statement_follows_the_grammar(local_aws: Account, statement: dict[str, Any]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    with pytest.raises(ClientError, match=r"MalformedPolicyDocument.*Syntax errors in policy"):
        local_aws.client("iam").create_role(RoleName="grammar", AssumeRolePolicyDocument=document)
