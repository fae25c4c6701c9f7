"""A service refuses a role that it cannot assume, in its own words; who gives the role needs iam:PassRole for it."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.core.identity import ACCOUNT_ID, Credentials
from localaws.services.iam.authorization import require_trust

Call = Callable[[Any, str], Any]
TRUST = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST_POLICY = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"


def project(api: Any, role: str) -> Any:
    environment = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0"}
    return api.create_project(
        name="refused",
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={**environment, "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role,
    )


def pipeline(api: Any, role: str) -> Any:
    kind = {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"}
    source = {"name": "Source", "actionTypeId": kind, "outputArtifacts": [{"name": "Source"}]}
    source["configuration"] = {"RepositoryName": "code", "BranchName": "main"}
    approve = {"name": "Approve", "actionTypeId": {**kind, "category": "Approval", "provider": "Manual"}}
    stages = [{"name": "Source", "actions": [source]}, {"name": "Approval", "actions": [approve]}]
    store = {"type": "S3", "location": "store"}
    declaration = {"name": "refused", "roleArn": role, "artifactStore": store, "stages": stages}
    return api.create_pipeline(pipeline=declaration)


def processing(api: Any, role: str) -> Any:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    return api.create_processing_job(
        ProcessingJobName="refused",
        ProcessingResources={"ClusterConfig": cluster},
        AppSpecification={"ImageUri": IMAGE},
        RoleArn=role,
    )


CALLS: list[tuple[str, str, Call]] = [
    (
        "lambda",
        "The role defined for the function cannot be assumed by Lambda",
        lambda api, role: api.create_function(
            FunctionName="refused", Role=role, Code={"ZipFile": b""}, Runtime="python3.12", Handler="a.b"
        ),
    ),
    ("codebuild", "CodeBuild is not authorized to perform: sts:AssumeRole on arn:aws:iam", project),
    ("codepipeline", "CodePipeline is not authorized to perform AssumeRole on role arn:aws:iam", pipeline),
    ("sagemaker", "Could not assume role arn:aws:iam.*Please ensure that the role exists", processing),
    (
        "sagemaker",
        "The execution role ARN .* is invalid",
        lambda api, role: api.create_model(
            ModelName="refused", ExecutionRoleArn=role, PrimaryContainer={"Image": IMAGE}
        ),
    ),
    (
        "sagemaker",
        "Could not assume role",
        lambda api, role: api.create_pipeline(
            PipelineName="refused", ClientRequestToken="t" * 32, RoleArn=role, PipelineDefinition="{}"
        ),
    ),
    (
        "sagemaker",
        "Could not assume role",
        lambda api, role: api.create_mlflow_app(Name="refused", ArtifactStoreUri="s3://b/p", RoleArn=role),
    ),
    (
        "events",
        "Provided role 'arn:aws:iam.*' cannot be assumed by principal 'events.amazonaws.com'",
        lambda api, role: api.put_targets(
            Rule="refused",
            Targets=[
                {"Id": "a", "Arn": "arn:aws:codepipeline:us-east-1:123456789012:pipeline", "RoleArn": role}
            ],
        ),
    ),
    (
        "scheduler",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role",
        lambda api, role: api.create_schedule(
            Name="refused",
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "RoleArn": role},
        ),
    ),
    (
        "stepfunctions",
        "Neither the global service principal states.amazonaws.com",
        lambda api, role: api.create_state_machine(name="refused", definition="{}", roleArn=role),
    ),
    (
        "ecs",
        "ECS was unable to assume the role",
        lambda api, role: api.register_task_definition(
            family="refused", taskRoleArn=role, containerDefinitions=[{"name": "a", "image": "b"}]
        ),
    ),
    (
        "cloudformation",
        "is invalid or cannot be assumed",
        lambda api, role: api.create_stack(StackName="refused", TemplateBody="{}", RoleARN=role),
    ),
]
IDS = [f"{service}-{index}" for index, (service, *_) in enumerate(CALLS)]


@pytest.fixture(scope="module")
def other_role(local_aws: Account) -> Iterator[str]:
    """A role that trusts another service."""
    iam, name = local_aws.client("iam"), f"other-{uuid4().hex[:8]}"
    yield iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST_POLICY)["Role"]["Arn"]
    iam.delete_role(RoleName=name)


@pytest.fixture(scope="module")
def cannot_pass(local_aws: Account) -> Credentials:
    """A user that may do everything but pass roles."""
    iam, name = local_aws.client("iam"), f"user-{uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "NotAction": "iam:PassRole", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


@pytest.mark.parametrize(("service", "words", "call"), CALLS, ids=IDS)
def test_a_role_must_exist_and_trust_the_service(
    local_aws: Account, other_role: str, service: str, words: str, call: Call
) -> None:
    for role in (other_role, "arn:aws:iam::123456789012:role/nobody"):
        with pytest.raises(ClientError, match=words):
            call(local_aws.client(service), role)


@pytest.mark.parametrize(("service", "words", "call"), CALLS, ids=IDS)
def test_who_gives_a_role_needs_pass_role(
    local_aws: Account, other_role: str, cannot_pass: Credentials, service: str, words: str, call: Call
) -> None:
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {other_role}"):
        call(local_aws.client(service, cannot_pass), other_role)


def test_a_trust_policy_may_name_the_account_of_a_service_that_says_it(local_aws: Account) -> None:
    iam = local_aws.client("iam")
    for account, service, is_assumed in (
        (ACCOUNT_ID, "sagemaker", True),
        ("666666666666", "sagemaker", False),
        (ACCOUNT_ID, "lambda", False),  # which is not documented to say it
    ):
        name = f"limited-{uuid4().hex[:8]}"
        trust = {
            **TRUST,
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        if is_assumed:
            require_trust(role, f"{service}.amazonaws.com")
        else:
            with pytest.raises(ServiceError, match="the role's trust policy does not allow it"):
                require_trust(role, f"{service}.amazonaws.com")
        iam.delete_role(RoleName=name)
