"""What IAM's simulator says of a principal is what its requests would meet."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.core.account import Account

S3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
ROLE = "arn:aws:iam::123456789012:role/{}"


@pytest.fixture(scope="module")
def deployer(local_aws: Account) -> Iterator[str]:
    """The ARN of a role that may assume roles but one, within a boundary of STS."""
    iam = local_aws.client("iam")
    document = statements(("Allow", "sts:AssumeRole", "*"), ("Deny", "sts:AssumeRole", ROLE.format("admin")))
    boundary = iam.create_policy(PolicyName="sts-only", PolicyDocument=statements(("Allow", "sts:*", "*")))[
        "Policy"
    ]["Arn"]
    trust = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(
        RoleName="simulated",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        PermissionsBoundary=boundary,
    )["Role"]["Arn"]
    iam.put_role_policy(RoleName="simulated", PolicyName="deploy", PolicyDocument=document)
    iam.attach_role_policy(RoleName="simulated", PolicyArn=S3)
    yield arn
    iam.detach_role_policy(RoleName="simulated", PolicyArn=S3)
    iam.delete_role_policy(RoleName="simulated", PolicyName="deploy")
    iam.delete_role(RoleName="simulated")
    iam.delete_policy(PolicyArn=boundary)


def statements(*given: tuple[str, str, str]) -> str:
    keys = ("Effect", "Action", "Resource")
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [dict(zip(keys, each, strict=True)) for each in given]}
    )


def simulate(local_aws: Account, arn: str, *actions: str, **request: Any) -> dict[tuple[str, str], str]:
    answer = local_aws.client("iam").simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=list(actions), **request
    )
    return {
        (each["EvalActionName"], each["EvalResourceName"]): each["EvalDecision"]
        for each in answer["EvaluationResults"]
    }


def test_each_action_is_decided_for_each_resource(local_aws: Account, deployer: str) -> None:
    roles = [ROLE.format("cdk"), ROLE.format("admin")]
    assert simulate(local_aws, deployer, "sts:AssumeRole", "sts:TagSession", ResourceArns=roles) == {
        ("sts:AssumeRole", roles[0]): "allowed",
        ("sts:AssumeRole", roles[1]): "explicitDeny",
        ("sts:TagSession", roles[0]): "implicitDeny",
        ("sts:TagSession", roles[1]): "implicitDeny",
    }


def test_a_boundary_limits_what_policies_allow(local_aws: Account, deployer: str) -> None:
    assert simulate(local_aws, deployer, "s3:GetObject") == {("s3:GetObject", "*"): "implicitDeny"}


def test_nobody_and_what_is_not_supported_are_refused(local_aws: Account, deployer: str) -> None:
    with pytest.raises(ClientError, match=r"NoSuchEntity.*user/nobody cannot be found"):
        simulate(local_aws, "arn:aws:iam::123456789012:user/nobody", "s3:GetObject")
    with pytest.raises(ClientError, match="does not support ResourcePolicy"):
        simulate(local_aws, deployer, "s3:GetObject", ResourcePolicy="{}")


def test_a_boundary_that_nobody_made_allows_nothing(local_aws: Account, deployer: str) -> None:
    iam = local_aws.client("iam")
    missing = "arn:aws:iam::123456789012:policy/missing"
    iam.put_role_permissions_boundary(RoleName="simulated", PermissionsBoundary=missing)
    cdk = [ROLE.format("cdk")]
    assert simulate(local_aws, deployer, "sts:AssumeRole", ResourceArns=cdk) == {
        ("sts:AssumeRole", cdk[0]): "implicitDeny"
    }
