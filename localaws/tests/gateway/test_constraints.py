"""Patterns, lengths, enumerations and ranges of the API, in each service's own words."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.core.account import Account

ROLE = "arn:aws:iam::123456789012:role/r"
TRUST = '{"Version": "2012-10-17", "Statement": []}'
BUILD: dict[str, Any] = {
    "source": {"type": "NO_SOURCE"},
    "artifacts": {"type": "NO_ARTIFACTS"},
    "environment": {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "HUGE"},
    "serviceRole": ROLE,
}
FUNCTION: dict[str, Any] = {"FunctionName": "f", "Role": ROLE, "Handler": "a.b", "Code": {"ZipFile": b"x"}}
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
TUNING: dict[str, Any] = {
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "ResourceLimits": {"MaxParallelTrainingJobs": 1},
    },
    "TrainingJobDefinition": {
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "i"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://b/"},
        "ResourceConfig": {**CLUSTER, "InstanceType": "ml.t2.medium"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    },
}


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (
            lambda aws: aws("logs").create_log_group(logGroupName="bad name!!"),
            "InvalidParameterException",
            (
                "1 validation error detected: Value 'bad name!!' at 'logGroupName' failed to satisfy constraint: "
                r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
            ),
        ),
        (
            lambda aws: aws("logs").put_retention_policy(logGroupName="g", retentionInDays=31),
            "InvalidParameterException",
            "Invalid retention value. Valid values are: [1, 3, 5, 7, 14, 30",
        ),
        (
            lambda aws: aws("lambda").create_function(**FUNCTION, Runtime="python2.0"),
            "ValidationException",
            "Value 'python2.0' at 'runtime' failed to satisfy constraint: Member must satisfy enum value set",
        ),
        (
            lambda aws: aws("lambda").create_function(**FUNCTION, Runtime="python3.12", Timeout=1000),
            "ValidationException",
            "Value '1000' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
        ),
        (
            lambda aws: aws("lambda").create_function(**FUNCTION, Runtime="python3.12", MemorySize=20480),
            "ValidationException",
            "Value '20480' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to",
        ),
        (
            lambda aws: aws("codebuild").create_project(name="build", **BUILD),
            "InvalidInputException",
            "Value 'HUGE' at 'environment.computeType'",
        ),
        (
            lambda aws: aws("iam").create_role(RoleName="r" * 65, AssumeRolePolicyDocument=TRUST),
            "ValidationError",
            "at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64",
        ),
        (
            lambda aws: aws("iam").create_role(
                RoleName="r", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "k", "Value": "v*"}]
            ),
            "ValidationError",
            "Value 'v*' at 'tags.1.member.value'",
        ),
        (
            lambda aws: aws("s3").create_bucket(Bucket="Bad_Name"),
            "InvalidBucketName",
            "The specified bucket is not valid.",
        ),
        (
            lambda aws: aws("cloudformation").create_stack(StackName="1 bad", TemplateBody="{}"),
            "ValidationError",
            "Value '1 bad' at 'stackName'",
        ),
        (
            lambda aws: aws("sagemaker").create_hyper_parameter_tuning_job(
                HyperParameterTuningJobName="t", **TUNING
            ),
            "ValidationException",
            "Value 'ml.t2.medium' at 'trainingJobDefinition.resourceConfig.instanceType'",
        ),
        (
            lambda aws: aws("sagemaker").create_processing_job(
                ProcessingJobName="p",
                ProcessingResources={"ClusterConfig": CLUSTER},
                AppSpecification={"ImageUri": "i", "ContainerArguments": ["x" * 257]},
                RoleArn=ROLE,
            ),
            "ValidationException",
            (
                "at 'appSpecification.containerArguments.1.member' failed to satisfy constraint: Member must have "
                "length less than or equal to 256"
            ),
        ),
        (
            lambda aws: aws("kms").schedule_key_deletion(KeyId="k", PendingWindowInDays=31),
            "ValidationException",
            (
                "Value '31' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value less than "
                "or equal to 30"
            ),
        ),
        (
            lambda aws: aws("ecr").create_repository(repositoryName="Bad"),
            "InvalidParameterException",
            "Value 'Bad' at 'repositoryName'",
        ),
    ],
)
def test_a_value_out_of_bounds_is_refused(
    local_aws: Account, call: Callable[[Callable[[str], Any]], Any], code: str, message: str
) -> None:
    with pytest.raises(ClientError) as error:
        call(local_aws.client)
    assert error.value.response["Error"]["Code"] == code
    assert message in error.value.response["Error"]["Message"]
