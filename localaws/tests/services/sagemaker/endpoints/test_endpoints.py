"""Endpoints and InvokeEndpoint: the scikit-learn image's contract, updates without a gap, failures."""

import json
import threading
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.services.iam.authorization import assume_role
from tests.services.sagemaker.endpoints.serving import (
    Wait,
    configuration,
    create_config,
    deploy,
    model_error,
    settle,
)

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
PARTS = """
def model_fn(model_dir):
    class Model:
        def predict(self, rows):
            return rows * 2
    return Model()
"""


def test_invoke(local: Any, wait_until: Wait) -> None:
    endpoint = deploy(local, wait_until, configuration(local, "one"))
    runtime = local.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(
        EndpointName=endpoint, Body=b"1,2", ContentType="text/csv", Accept="application/json"
    )
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["ContentType"].startswith("application/json")
    assert json.loads(answer["Body"].read()) == {
        "model": "one",
        "content": "1,2",
        "type": "text/csv",
        "accept": "application/json",
    }
    described = local.client().describe_endpoint(EndpointName=endpoint)
    assert described["ProductionVariants"][0]["CurrentServerlessConfig"]["MemorySizeInMB"] == 2048
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"bad", ContentType="text/csv")
    assert caught.value.response["Error"]["Code"] == "ModelError"
    assert model_error(caught)["OriginalStatusCode"] == 400
    assert model_error(caught)["OriginalMessage"] == "rows must be numbers"
    assert 'Received client error (400) from primary with message "rows must' in str(caught.value)
    with pytest.raises(ClientError, match=r"Received server error \(500\) from primary"):
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"raise", ContentType="text/csv")
    with pytest.raises(ClientError, match="exceeds the limit of 4194304 bytes"):
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x" * (4 * 1024 * 1024 + 1))
    with pytest.raises(ClientError, match="Endpoint nope of account 123456789012 not found"):
        runtime.invoke_endpoint(EndpointName="nope", Body=b"1")
    local.client().delete_endpoint(EndpointName=endpoint)
    lines = local.log_lines(f"/aws/sagemaker/Endpoints/{endpoint}", "AllTraffic/")
    assert "asked for 1,2" in lines
    assert any("ValueError: cannot read this" in line for line in lines)
    with pytest.raises(ClientError, match='Could not find endpoint "arn:'):
        local.client().describe_endpoint(EndpointName=endpoint)


def test_default_functions(local: Any, wait_until: Wait) -> None:
    endpoint = deploy(local, wait_until, configuration(local, "one", inference=PARTS, serverless=False))
    runtime = local.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"[[1, 2]]", ContentType="application/json")
    assert json.loads(answer["Body"].read()) == [[2, 4]]
    answer = runtime.invoke_endpoint(
        EndpointName=endpoint, Body=b"1,2\n3,4\n", ContentType="text/csv", Accept="text/csv"
    )
    assert answer["Body"].read() == b"2.0,4.0\n6.0,8.0\n"
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1", ContentType="image/png")
    assert model_error(caught)["OriginalStatusCode"] == 415
    local.client().delete_endpoint(EndpointName=endpoint)


def test_update_has_no_gap_and_a_bad_model_changes_nothing(local: Any, wait_until: Wait) -> None:
    endpoint = deploy(local, wait_until, configuration(local, "old"))
    sagemaker, runtime = local.client(), local.client("sagemaker-runtime")
    seen: list[str] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            body = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1", ContentType="text/csv")["Body"]
            seen.append(json.loads(body.read())["model"])

    asking = threading.Thread(target=ask)
    asking.start()
    new = configuration(local, "new")
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new)
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new)
    settle(local, wait_until, endpoint)
    wait_until(lambda: seen[-1] == "new")
    broken = configuration(local, "broken", inference="raise RuntimeError('no')")
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=broken)
    described = settle(local, wait_until, endpoint)
    done.set()
    asking.join()
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == new
    assert "did not pass the ping health check" in described["FailureReason"]
    assert seen == sorted(seen, key=["old", "new"].index)
    assert seen[-1] == "new"
    sagemaker.delete_endpoint(EndpointName=endpoint)


def test_first_start_that_fails(local: Any, wait_until: Wait) -> None:
    name = f"endpoint-{uuid.uuid4().hex[:8]}"
    config = configuration(local, "x", inference="def model_fn(model_dir): raise RuntimeError('no')")
    local.client().create_endpoint(EndpointName=name, EndpointConfigName=config)
    described = settle(local, wait_until, name)
    assert described["EndpointStatus"] == "Failed"
    assert "production variant AllTraffic did not pass the ping health check" in described["FailureReason"]
    with pytest.raises(ClientError, match=f"Endpoint {name} of account"):
        local.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, Body=b"1")
    local.client().delete_endpoint(EndpointName=name)


def test_refusals(local: Any) -> None:
    sagemaker = local.client()
    config = configuration(local, "x")
    with pytest.raises(ClientError, match="Cannot create already existing endpoint configuration"):
        create_config(local, config, config)
    with pytest.raises(ClientError, match=r'Could not find model "arn:.*model/nope"'):
        create_config(local, "other", "nope")
    with pytest.raises(
        ClientError, match=r'Could not find endpoint configuration "arn:.*endpoint-config/nope"'
    ):
        sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="nope")


def test_a_volume_key_asks_for_a_grant(local: Any, make_role: Any) -> None:
    config = configuration(local, "x", serverless=False)
    variants = local.client().describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    key = local.client("kms").create_key()["KeyMetadata"]["Arn"]
    local.client().create_endpoint_config(
        EndpointConfigName=f"{config}-key", ProductionVariants=variants, KmsKeyId=key
    )
    role = make_role([{"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}])
    credentials = assume_role(local.account, role, principal="sagemaker.amazonaws.com", session_name="test")
    with pytest.raises(ClientError, match=f"perform: kms:CreateGrant on resource: {key}"):
        local.client("sagemaker", credentials).create_endpoint(
            EndpointName=config, EndpointConfigName=f"{config}-key"
        )
