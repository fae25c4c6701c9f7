"""Data capture of an endpoint: objects, lines, the role's rights, what serverless endpoints refuse."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.sagemaker.conftest import BUCKET
from tests.services.sagemaker.endpoints.serving import configuration, deploy, settle

Wait = Callable[[Callable[[], bool]], None]


def test_requests_and_answers_are_captured(local: Any, wait_until: Wait) -> None:
    plain = configuration(local, "one", serverless=False)
    capturing = capture_config(local, plain)
    endpoint = deploy(local, wait_until, capturing)
    runtime = local.client("sagemaker-runtime")
    runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1,2", ContentType="text/csv", InferenceId="row-1")
    with pytest.raises(ClientError):  # what the model refuses is not captured
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"bad", ContentType="text/csv")
    wait_until(lambda: bool(local.keys(f"captured/{endpoint}/")))  # within the minute, which is a second here
    runtime.invoke_endpoint(EndpointName=endpoint, Body=b"3", ContentType="text/x-other")
    described = local.client().describe_endpoint(EndpointName=endpoint)
    assert described["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{BUCKET}/captured",
        "KmsKeyId": "",
    }
    # The fleet that leaves delivers what it has.
    local.client().update_endpoint(EndpointName=endpoint, EndpointConfigName=plain)
    assert "DataCaptureConfig" not in settle(local, wait_until, endpoint)
    wait_until(lambda: len(lines(local, endpoint)) == 2)
    runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1,2", ContentType="text/csv")
    local.client().delete_endpoint(EndpointName=endpoint)
    keys = local.keys(f"captured/{endpoint}/")
    pattern = (
        rf"captured/{endpoint}/AllTraffic/\d{{4}}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{{3}}-[0-9a-f-]{{36}}\.jsonl"
    )
    assert all(re.fullmatch(pattern, key) for key in keys), keys
    first, second = sorted(lines(local, endpoint), key=lambda line: line["eventMetadata"]["inferenceTime"])
    assert first["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": "1,2",
        "encoding": "CSV",
    }
    output = first["captureData"]["endpointOutput"]
    assert (output["mode"], output["encoding"]) == ("OUTPUT", "JSON")
    assert json.loads(output["data"])["content"] == "1,2"
    assert first["eventMetadata"]["inferenceId"] == "row-1"
    assert first["eventVersion"] == "0"
    unknown = second["captureData"]["endpointInput"]
    assert (unknown["encoding"], base64.b64decode(unknown["data"])) == ("BASE64", b"3")


def test_the_roles_rights_decide(local: Any, wait_until: Wait, make_role: Any) -> None:
    role = make_role([{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}])
    plain = configuration(local, "one", serverless=False)
    model = local.client().describe_model(ModelName=plain)
    local.client().create_model(
        ModelName=f"{plain}-poor", ExecutionRoleArn=role, PrimaryContainer=model["PrimaryContainer"]
    )
    endpoint = deploy(local, wait_until, capture_config(local, plain, model=f"{plain}-poor"))
    local.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, Body=b"1,2", ContentType="text/csv"
    )
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    wait_until(
        lambda: any(
            "Data capture" in line and "AccessDenied" in line
            for line in local.log_lines(group, "AllTraffic/")
        )
    )
    local.client().delete_endpoint(EndpointName=endpoint)
    assert local.keys(f"captured/{endpoint}/") == []


def test_serverless_endpoints_have_none_of_it(local: Any) -> None:
    sagemaker = local.client()
    plain = configuration(local, "one")
    serverless = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}

    def refused(message: str, model: str = plain, **members: Any) -> None:
        with pytest.raises(ClientError, match=message):
            sagemaker.create_endpoint_config(
                EndpointConfigName=f"{plain}-refused",
                ProductionVariants=[{"VariantName": "AllTraffic", "ModelName": model, **serverless}],
                **members,
            )

    refused("do not support DataCaptureConfig", DataCaptureConfig=data_capture())
    refused("do not support KmsKeyId", KmsKeyId="alias/own")
    network: Any = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    for name, member, value in (
        ("vpc", "VpcConfig", network),
        ("isolated", "EnableNetworkIsolation", True),
    ):
        sagemaker.create_model(
            ModelName=f"{plain}-{name}",
            ExecutionRoleArn=local.role,
            PrimaryContainer=sagemaker.describe_model(ModelName=plain)["PrimaryContainer"],
            **{member: value},
        )
        refused(rf"do not support {member} \(of the model", model=f"{plain}-{name}")


def capture_config(local: Any, plain: str, *, model: str = "") -> str:
    """An endpoint configuration like the plain one, with data capture; its name."""
    name = f"{plain}-captured"
    local.client().create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "AllTraffic",
                "ModelName": model or plain,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
        DataCaptureConfig=data_capture(),
    )
    return name


def data_capture() -> dict[str, Any]:
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{BUCKET}/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json"],
        },
    }


def lines(local: Any, endpoint: str) -> list[dict[str, Any]]:
    keys = local.keys(f"captured/{endpoint}/")
    return [json.loads(line) for key in keys for line in local.get(key).decode().splitlines()]
