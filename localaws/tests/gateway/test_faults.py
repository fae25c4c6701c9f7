"""Faults on purpose: each service's own words, the share that was asked for, and nothing of it inside."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.gateway.faults import Fault, Faults
from localaws.running_server import Server, UserError

Set = Callable[..., None]


@pytest.fixture
def server(local_aws: Account) -> Server:
    keys = local_aws.administrator
    return Server(0, local_aws.port, local_aws.region, keys.access_key_id, keys.secret_access_key)


@pytest.fixture
def set_faults(server: Server) -> Iterator[Set]:
    def replace(*rules: str, seed: int = 0) -> None:
        server.ask("faults", {"faults": rules, "seed": seed})

    yield replace
    replace()


def client(local_aws: Account, service: Any, attempts: int = 1) -> Any:
    return boto3.client(
        service,
        endpoint_url=local_aws.endpoint_url,
        region_name=local_aws.region,
        aws_access_key_id=local_aws.administrator.access_key_id,
        aws_secret_access_key=local_aws.administrator.secret_access_key,
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


def answer(call: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        call()
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    ("service", "operation", "throttled", "failed"),
    [
        ("s3", "list_buckets", ("SlowDown", 503), ("InternalError", 500)),
        ("sagemaker", "list_models", ("ThrottlingException", 400), ("InternalFailure", 500)),
        ("codepipeline", "list_pipelines", ("ThrottlingException", 400), ("InternalFailure", 500)),
        ("cloudformation", "describe_stacks", ("Throttling", 400), ("InternalFailure", 500)),
        ("ec2", "describe_vpcs", ("RequestLimitExceeded", 503), ("InternalFailure", 500)),
        ("lambda", "list_functions", ("TooManyRequestsException", 429), ("InternalFailure", 500)),
        ("scheduler", "list_schedules", ("ThrottlingException", 429), ("InternalFailure", 500)),
    ],
)
def test_each_service_has_its_own_words(
    local_aws: Account,
    set_faults: Set,
    service: str,
    operation: str,
    throttled: tuple[str, int],
    failed: tuple[str, int],
) -> None:
    call = getattr(client(local_aws, service), operation)
    set_faults(f"{service}:*:1:Throttling")
    assert answer(call) == throttled
    set_faults("*:*:1:InternalFailure")
    assert answer(call) == failed
    set_faults()
    call()


def test_an_invocation_is_throttled_so_that_clients_ask_again() -> None:
    error = Fault.parse("*:*:1:Throttling").error("sagemaker-runtime", "rest-json")
    assert (error.code, error.status) == ("ThrottlingException", 429)


def test_a_rule_is_of_its_service_and_operations(local_aws: Account, set_faults: Set) -> None:
    set_faults("sagemaker:List*:1:Throttling")
    sagemaker = client(local_aws, "sagemaker")
    assert answer(sagemaker.list_models)[0] == "ThrottlingException"
    assert answer(lambda: sagemaker.describe_model(ModelName="x"))[0] == "ValidationException"
    client(local_aws, "s3").list_buckets()
    local_aws.client("sagemaker").list_models()  # inside AWS


def test_after_the_operation_its_answer_is_lost(local_aws: Account, set_faults: Set) -> None:
    set_faults("s3:CreateBucket:1:InternalFailure:after", "ssm:PutParameter:1:InternalFailure:after")
    assert answer(lambda: client(local_aws, "s3").create_bucket(Bucket="made-all-the-same"))[1] == 500
    put = client(local_aws, "ssm").put_parameter
    assert answer(lambda: put(Name="made", Value="1", Type="String"))[1] == 500
    set_faults()
    client(local_aws, "s3").head_bucket(Bucket="made-all-the-same")
    assert client(local_aws, "ssm").get_parameter(Name="made")["Parameter"]["Value"] == "1"


def test_boto3_outlives_a_share(local_aws: Account, set_faults: Set) -> None:
    set_faults("*:*:0.5:InternalFailure")
    patient = client(local_aws, "sts", attempts=20)
    for _ in range(10):
        patient.get_caller_identity()


def test_mlflows_client_asks_again_after_429(local_aws: Account) -> None:
    error = Fault.parse("mlflow:*:1:Throttling").error("mlflow", "json")
    assert error.status == 429


def test_the_same_seed_gives_the_same_chances() -> None:
    faults = Faults()

    def hits(seed: int) -> list[bool]:
        faults.replace(["*:*:0.2:Throttling"], seed)
        return [faults.draw("s3", "ListBuckets", "") is not None for _ in range(1000)]

    assert hits(1) == hits(1) != hits(2)
    assert 150 < sum(hits(1)) < 250


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("sagemaker:0.2:Throttling", "SERVICE:OPERATION:PROBABILITY:CODE"),
        ("s3:*:20:SlowDown", "PROBABILITY is '20'"),
        ("s3:*:1:SlowDown:before", "SERVICE:OPERATION"),
    ],
)
def test_a_wrong_rule_is_refused(rule: str, why: str) -> None:
    with pytest.raises(ServiceError, match=why):
        Faults().replace([rule], 0)


def test_only_the_administrator_sets_faults(local_aws: Account, server: Server) -> None:
    stranger = Server(0, local_aws.port, local_aws.region, server.access_key_id, "guessed")
    with pytest.raises(UserError, match="administrator"):
        stranger.ask("faults", {"faults": ["*:*:1:Throttling"], "seed": 0})
    health = urllib3.request("GET", f"{local_aws.endpoint_url}/_localaws/health")
    assert health.status == 200
