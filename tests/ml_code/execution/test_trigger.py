"""Why a delivery runs and on which data, from CodePipeline's record."""

from typing import Any

import boto3
from botocore.stub import Stubber

from ml_code.execution.trigger import Trigger, read_trigger

ENVIRONMENT = {"DELIVERY_EXECUTION": "e" * 36, "CODEBUILD_INITIATOR": "codepipeline/digits"}


NO_CLIENT: Any = None


def recorded(trigger: str, **variables: str) -> Trigger:
    client = boto3.client("codepipeline", region_name="us-east-1")
    with Stubber(client) as stub:
        resolved = [{"name": name, "resolvedValue": value} for name, value in variables.items()]
        stub.add_response(
            "get_pipeline_execution",
            {"pipelineExecution": {"trigger": {"triggerType": trigger}, "variables": resolved}},
            {"pipelineName": "digits", "pipelineExecutionId": "e" * 36},
        )
        return read_trigger(ENVIRONMENT, client)


def test_a_deployment_starts_the_first_delivery() -> None:
    found = recorded("CreatePipeline", TriggerReason="manual", DataPrefix="raw/")
    assert found == Trigger(reason="deployment")


def test_quotes_in_a_reason_stay_in_it() -> None:
    reason = 'x", "type": "PLAINTEXT"}, {"name": "PIP_INDEX_URL", "value": "https://example.com'
    found = recorded("StartPipelineExecution", TriggerReason=reason, DataPrefix="raw/2026/")
    assert found == Trigger(reason=reason, data_prefix="raw/2026/")


def test_outside_of_a_delivery_it_is_by_hand() -> None:
    assert read_trigger({}, NO_CLIENT) == Trigger(reason="manual")
