"""Who may do what, asked with real clients."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.core.identity import Credentials
from localaws.services.ec2.interfaces import require_interfaces
from localaws.services.iam.authorization import assume_role
from localaws.services.logs.resources import LogGroup

MakeRole = Callable[..., tuple[str, Credentials]]


@pytest.fixture
def make_role(local_aws: Account) -> MakeRole:
    """A role of codebuild.amazonaws.com with the given statements, and credentials of it."""

    def make(*statements: dict[str, Any]) -> tuple[str, Credentials]:
        iam, name = local_aws.client("iam"), f"role-{uuid4().hex[:8]}"
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "codebuild.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        if statements:
            document = {"Version": "2012-10-17", "Statement": statements}
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
        return arn, assume_role(local_aws, arn, principal="codebuild.amazonaws.com", session_name="build-1")

    return make


@pytest.fixture
def bucket(local_aws: Account) -> str:
    name = f"bucket-{uuid4().hex[:8]}"
    local_aws.client("s3").create_bucket(Bucket=name)
    return name


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def allow(action: str, resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def test_the_signature_counts(local_aws: Account) -> None:
    key = local_aws.administrator.access_key_id
    wrong = local_aws.client("sts", Credentials(key, "wrong"))
    unknown = local_aws.client("sts", Credentials("AKIAIOSFODNN7EXAMPLE", "x"))
    assert refusal(wrong.get_caller_identity)[0] == "SignatureDoesNotMatch"
    assert refusal(unknown.get_caller_identity)[0] == "InvalidClientTokenId"
    assert urllib3.request("GET", f"{local_aws.endpoint_url}/a-bucket/a-key").status == 403


def test_keys_with_odd_characters_are_signed_like_s3_signs_them(local_aws: Account, bucket: str) -> None:
    s3, key = local_aws.client("s3"), "a b/ü+z&a=b~%41.txt"
    s3.put_object(Bucket=bucket, Key=key, Body=b"hello")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"hello"
    session = boto3.Session(
        local_aws.administrator.access_key_id,
        local_aws.administrator.secret_access_key,
        region_name="us-east-1",
    )
    signer = session.client(
        "s3", endpoint_url=local_aws.endpoint_url, config=Config(signature_version="s3v4")
    )
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    assert urllib3.request("GET", url).data == b"hello"
    assert urllib3.request("GET", url.replace("Expires=3600", "Expires=7200")).status == 403


def test_a_role_may_do_what_its_policies_say_and_no_more(
    local_aws: Account, bucket: str, make_role: MakeRole
) -> None:
    role, credentials = make_role(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/models/*"))
    s3 = local_aws.client("s3", credentials)
    s3.put_object(Bucket=bucket, Key="models/1", Body=b"")
    code, message = refusal(lambda: s3.put_object(Bucket=bucket, Key="raw/1", Body=b""))
    name = role.rpartition("/")[2]
    assert code == "AccessDenied"
    assert message == (
        f"User: arn:aws:sts::123456789012:assumed-role/{name}/build-1 is not authorized to perform: s3:PutObject "
        f"on resource: arn:aws:s3:::{bucket}/raw/1 because no identity-based policy allows the s3:PutObject action"
    )
    logs = local_aws.client("logs", credentials)
    assert refusal(lambda: logs.create_log_group(logGroupName="x"))[0] == "AccessDeniedException"


def test_a_missing_object_is_told_only_to_who_may_list_the_bucket(
    local_aws: Account, bucket: str, make_role: MakeRole
) -> None:
    read = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    _, reader = make_role(read)
    _, lister = make_role(read, allow("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    code, message = refusal(lambda: local_aws.client("s3", reader).get_object(Bucket=bucket, Key="none"))
    assert code == "AccessDenied"
    assert "s3:ListBucket" in message
    assert (
        refusal(lambda: local_aws.client("s3", lister).get_object(Bucket=bucket, Key="none"))[0]
        == "NoSuchKey"
    )


def test_a_role_is_passed_only_with_permission_to_pass_it(local_aws: Account, make_role: MakeRole) -> None:
    passed, _ = make_role()
    _, credentials = make_role(allow("sagemaker:CreateModel", "*"))
    sagemaker = local_aws.client("sagemaker", credentials)
    code, message = refusal(
        lambda: sagemaker.create_model(
            ModelName="m",
            ExecutionRoleArn=passed,
            PrimaryContainer={"Image": "i", "ModelDataUrl": "s3://b/k"},
        )
    )
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {passed}" in message


def test_a_bucket_policy_denies_even_the_administrator(local_aws: Account, bucket: str) -> None:
    s3 = local_aws.client("s3")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/frozen/*",
    }
    tls = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [deny, tls]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    s3.put_object(Bucket=bucket, Key="open", Body=b"")
    _, message = refusal(lambda: s3.put_object(Bucket=bucket, Key="frozen/1", Body=b""))
    assert message.endswith("with an explicit deny in a resource-based policy")


def test_only_who_is_trusted_may_assume_a_role(local_aws: Account, make_role: MakeRole) -> None:
    role, _ = make_role()
    sts = local_aws.client("sts")
    assert refusal(lambda: sts.assume_role(RoleArn=role, RoleSessionName="someone"))[0] == "AccessDenied"
    with pytest.raises(ServiceError, match=r"lambda\.amazonaws\.com"):
        assume_role(local_aws, role, principal="lambda.amazonaws.com", session_name="s")
    with pytest.raises(ServiceError, match="no such role"):
        assume_role(local_aws, f"{role}x", principal="codebuild.amazonaws.com", session_name="s")


def test_what_is_not_supported_never_falls_through_to_moto(local_aws: Account) -> None:
    sagemaker = local_aws.client("sagemaker")
    code, message = refusal(lambda: sagemaker.list_workteams())
    assert code == "UnsupportedOperation"
    assert "sagemaker:ListWorkteams" in message


def test_s3_asks_for_the_permissions_of_a_buckets_key(
    local_aws: Account, make_role: MakeRole, bucket: str
) -> None:
    key = local_aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    local_aws.client("s3").put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": encryption}]},
    )
    objects = allow("s3:*Object", f"arn:aws:s3:::{bucket}/*")
    _, without_key = make_role(objects)
    _, writer = make_role(objects, allow("kms:GenerateDataKey", key))
    through_s3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    _, reader = make_role(objects, {**allow("kms:Decrypt", key), "Condition": through_s3})
    for credentials in (without_key, reader):
        s3 = local_aws.client("s3", credentials)
        code, message = refusal(lambda s3=s3: s3.put_object(Bucket=bucket, Key="row", Body=b"1"))  # type: ignore[misc]
        assert (code, "kms:GenerateDataKey" in message) == ("AccessDenied", True)
    local_aws.client("s3", writer).put_object(Bucket=bucket, Key="row", Body=b"1")
    code, message = refusal(lambda: local_aws.client("s3", writer).get_object(Bucket=bucket, Key="row"))
    assert (code, "kms:Decrypt" in message) == ("AccessDenied", True)
    assert local_aws.client("s3", reader).get_object(Bucket=bucket, Key="row")["Body"].read() == b"1"


def test_a_key_must_itself_let_the_account_in(local_aws: Account, make_role: MakeRole) -> None:
    nobody = {"Version": "2012-10-17", "Statement": []}
    kms = local_aws.client("kms")
    key = kms.create_key(Policy=json.dumps(nobody), BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["Arn"]
    _, credentials = make_role(allow("kms:*", "*"))
    code, message = refusal(lambda: local_aws.client("kms", credentials).describe_key(KeyId=key))
    assert code == "AccessDeniedException"
    assert "because no resource-based policy allows the kms:DescribeKey action" in message


def test_log_groups_take_only_keys_that_let_the_service_in(local_aws: Account) -> None:
    key = local_aws.client("kms").create_key()["KeyMetadata"]["Arn"]  # for the account alone
    properties = {"LogGroupName": "/encrypted/with-a-strange-key", "KmsKeyId": key}
    with pytest.raises(ServiceError, match=r"is not allowed to be used by logs\.us-east-1\.amazonaws\.com"):
        LogGroup().create(local_aws, "Stack-Logs", properties)


def test_a_container_enters_a_vpc_only_where_its_role_may(local_aws: Account, make_role: MakeRole) -> None:
    ec2 = local_aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="jobs", Description="jobs", VpcId=vpc)["GroupId"]
    everything = allow("ec2:*", "*")
    elsewhere = {
        "Effect": "Deny",
        "Action": "ec2:CreateNetworkInterface",
        "Resource": local_aws.arn("ec2", f"subnet/{subnet}"),
    }

    def enter(credentials: Credentials, subnets: list[str]) -> None:
        require_interfaces(local_aws, credentials, subnets, [group], "sagemaker.amazonaws.com")

    _, may = make_role(everything)
    _, may_not = make_role(everything, elsewhere)
    enter(may, [subnet])
    with pytest.raises(ServiceError, match=f"ec2:CreateNetworkInterface on resource: .*{subnet}"):
        enter(may_not, [subnet])
    with pytest.raises(ServiceError, match="There is no such subnet or security group"):
        enter(may, ["subnet-00000000"])
