"""With whose rights a stack's resources are made."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.identity import Credentials

Json = dict[str, Any]
FUNCTION_ROLE = "function-role"
RIGHTS = [
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "logs:CreateLogGroup",
    "logs:DeleteLogGroup",
    "logs:PutRetentionPolicy",
    "codecommit:CreateRepository",
    "codecommit:DeleteRepository",
    "lambda:CreateFunction",
    "lambda:DeleteFunction",
    "lambda:InvokeFunction",
    "iam:PassRole",
]


def policy(*actions: str, **statement: Any) -> str:
    allowed = {"Effect": "Allow", "Action": list(actions), **({"Resource": "*"} | statement)}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


def make_role(account: Account, name: str, service: str, *actions: str) -> str:
    iam = account.client("iam")
    allowed = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if actions:
        iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=policy(*actions))
    return arn


@pytest.fixture
def name() -> str:
    return f"rights-{uuid4().hex[:8]}"


@pytest.fixture
def template(local_aws: Account, name: str) -> Iterator[Json]:
    role = make_role(local_aws, f"{name}-{FUNCTION_ROLE}", "lambda.amazonaws.com")
    function = {
        "Handler": "index.handler",
        "Runtime": "python3.12",
        "Code": {"ZipFile": "def handler(event, context): pass"},
        "Role": role,
    }
    group = {"LogGroupName": f"/{name}", "RetentionInDays": 7}
    yield {
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"{name}-data"}},
            "Group": {"Type": "AWS::Logs::LogGroup", "Properties": group},
            "Code": {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": name}},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        }
    }
    local_aws.client("iam").delete_role(RoleName=f"{name}-{FUNCTION_ROLE}")


@pytest.fixture
def service_role(local_aws: Account, name: str) -> Iterator[Callable[..., str]]:
    """Make a service role of CloudFormation that may do the given actions, such as "s3:CreateBucket"."""
    iam = local_aws.client("iam")

    def make(*actions: str) -> str:
        return make_role(local_aws, name, "cloudformation.amazonaws.com", *actions)

    yield make
    iam.delete_role_policy(RoleName=name, PolicyName="rights")
    iam.delete_role(RoleName=name)


class Stacks:
    def __init__(self, api: Any, name: str) -> None:
        self.api, self.name = api, name

    def create(self, template: Json, **request: Any) -> str:
        self.api.create_stack(StackName=self.name, TemplateBody=json.dumps(template), **request)
        return self.status(self.name)

    def delete(self) -> str:
        stack: str = self.api.describe_stacks(StackName=self.name)["Stacks"][0]["StackId"]
        self.api.delete_stack(StackName=self.name)
        return self.status(stack)

    def status(self, stack: str) -> str:
        for _ in range(600):
            status: str = self.api.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(0.05)
        raise TimeoutError(status)

    def reason(self, logical_id: str) -> str:
        events = self.api.describe_stack_events(StackName=self.name)["StackEvents"]
        return next(
            str(event.get("ResourceStatusReason", ""))
            for event in events
            if event["LogicalResourceId"] == logical_id and event["ResourceStatus"].endswith("_FAILED")
        )


def test_resources_are_made_and_deleted_with_the_rights_of_the_service_role(
    local_aws: Account, name: str, template: Json, service_role: Callable[..., str]
) -> None:
    stacks = Stacks(local_aws.client("cloudformation"), name)
    assert stacks.create(template, RoleARN=service_role(*RIGHTS)) == "CREATE_COMPLETE"
    assert stacks.delete() == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    ("missing", "logical_id", "resource"),
    [
        ("s3:CreateBucket", "Bucket", "arn:aws:s3:::{name}-data"),
        ("logs:CreateLogGroup", "Group", "arn:aws:logs:us-east-1:123456789012:log-group:/{name}:*"),
        ("codecommit:CreateRepository", "Code", "arn:aws:codecommit:us-east-1:123456789012:{name}"),
        (
            "lambda:CreateFunction",
            "Function",
            "arn:aws:lambda:us-east-1:123456789012:function:{name}-Function",
        ),
        ("iam:PassRole", "Function", "arn:aws:iam::123456789012:role/{name}-" + FUNCTION_ROLE),
    ],
)
def test_a_denied_resource_names_role_action_and_resource(
    local_aws: Account,
    name: str,
    template: Json,
    service_role: Callable[..., str],
    missing: str,
    logical_id: str,
    resource: str,
) -> None:
    stacks = Stacks(local_aws.client("cloudformation"), name)
    role = service_role(*(right for right in RIGHTS if right != missing))
    assert stacks.create(template, RoleARN=role) == "ROLLBACK_COMPLETE"
    reason = stacks.reason(logical_id)
    session = f"arn:aws:sts::123456789012:assumed-role/{name}/AWSCloudFormation"
    assert f"User: {session} is not authorized to perform: {missing}" in reason
    assert f"on resource: {resource.format(name=name)}" in reason
    stacks.delete()


def test_a_custom_resource_is_invoked_with_the_service_role(
    local_aws: Account, name: str, template: Json, service_role: Callable[..., str]
) -> None:
    stacks = Stacks(local_aws.client("cloudformation"), name)
    token = {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}}
    template["Resources"]["Custom"] = {"Type": "Custom::Thing", "Properties": token}
    role = service_role(*(right for right in RIGHTS if right != "lambda:InvokeFunction"))
    assert stacks.create(template, RoleARN=role) == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: lambda:InvokeFunction" in stacks.reason("Custom")
    stacks.delete()


def test_without_a_role_the_rights_are_the_callers(local_aws: Account, name: str, template: Json) -> None:
    iam = local_aws.client("iam")
    iam.create_user(UserName=name)
    rights = [right for right in RIGHTS if right != "logs:PutRetentionPolicy"]
    iam.put_user_policy(
        UserName=name, PolicyName="rights", PolicyDocument=policy("cloudformation:*", *rights)
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    stacks = Stacks(local_aws.client("cloudformation", credentials), name)
    assert stacks.create(template) == "ROLLBACK_COMPLETE"
    reason = stacks.reason("Group")
    assert f"User: arn:aws:iam::123456789012:user/{name} is not authorized to perform: logs:PutR" in reason
    stacks.delete()


def test_the_service_role_must_exist_and_trust_cloudformation(
    local_aws: Account, name: str, template: Json
) -> None:
    stacks = Stacks(local_aws.client("cloudformation"), name)
    with pytest.raises(ClientError, match="role/nobody is invalid or cannot be assumed"):
        stacks.create(template, RoleARN="arn:aws:iam::123456789012:role/nobody")
    other = template["Resources"]["Function"]["Properties"]["Role"]
    with pytest.raises(ClientError, match="is invalid or cannot be assumed"):
        stacks.create(template, RoleARN=other)


def test_who_gives_a_stack_a_role_must_be_allowed_to_pass_it(
    local_aws: Account, name: str, template: Json, service_role: Callable[..., str]
) -> None:
    iam, role = local_aws.client("iam"), service_role(*RIGHTS)
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=policy("cloudformation:*"))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {role}"):
        Stacks(local_aws.client("cloudformation", credentials), name).create(template, RoleARN=role)
