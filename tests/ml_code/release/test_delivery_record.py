"""What a release takes from CodePipeline's record of its delivery."""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ml_code.release.delivery_record import DeliveryError, DeliveryRecord, read_delivery

EXECUTION = "e" * 36
ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/digits/execution/abc"


def build(minute: int, status: str = "Succeeded", **exported: str) -> dict[str, Any]:
    time = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
    return {
        "stageName": "Build",
        "actionName": "Build",
        "status": status,
        "startTime": time,
        "lastUpdateTime": time,
        "output": {"outputVariables": exported},
    }


def read(*actions: dict[str, Any]) -> DeliveryRecord:
    client = boto3.client("codepipeline", region_name="us-east-1")
    request = {"pipelineName": "digits", "filter": {"pipelineExecutionId": EXECUTION}}
    with Stubber(client) as stub:
        stub.add_response("list_action_executions", {"actionExecutionDetails": [*actions]}, request)
        return read_delivery(client, "digits", EXECUTION)


def test_the_claim_is_what_the_last_successful_build_exported() -> None:
    record = read(
        build(2, MODEL_VERSION="4", EXECUTION_ARN=ARN),
        build(1, MODEL_VERSION="3", EXECUTION_ARN=ARN),
        build(3, "Failed", MODEL_VERSION="5", EXECUTION_ARN=ARN),
    )
    assert record.training.model_version == "4"
    assert record.training.build_started.minute == 2


@pytest.mark.parametrize("exported", [{}, {"MODEL_VERSION": '4", "x'}, {"MODEL_VERSION": "0"}])
def test_what_is_no_version_is_refused(exported: dict[str, str]) -> None:
    with pytest.raises(DeliveryError, match=r"MODEL_VERSION of action Build in delivery e+ is"):
        _ = read(build(1, **exported)).training


def test_an_action_that_is_missing_is_named() -> None:
    with pytest.raises(DeliveryError, match="no successful action Deploy in stage Staging"):
        _ = read(build(1)).staged
