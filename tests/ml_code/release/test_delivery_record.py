"""What a release takes from CodePipeline's record of its delivery."""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ml_code.release import delivery_record


def build(minute: int, **exported: str) -> dict[str, Any]:
    return {
        "stageName": "Build",
        "lastUpdateTime": datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
        "output": {"outputVariables": exported},
    }


def registered(*actions: dict[str, Any]) -> str:
    client = boto3.client("codepipeline", region_name="us-east-1")
    request = {"pipelineName": "digits", "filter": {"pipelineExecutionId": "e" * 36}}
    with Stubber(client) as stub:
        stub.add_response("list_action_executions", {"actionExecutionDetails": [*actions]}, request)
        return delivery_record.registered_version(client, "digits", "e" * 36)


def test_the_version_is_what_the_last_build_exported() -> None:
    source = {"stageName": "Source", "lastUpdateTime": datetime(2026, 1, 2, tzinfo=UTC)}
    assert registered(build(1, MODEL_VERSION="3"), build(2, MODEL_VERSION="4"), source) == "4"


@pytest.mark.parametrize("exported", [{}, {"MODEL_VERSION": '4", "x'}, {"MODEL_VERSION": "0"}])
def test_what_is_no_version_is_refused(exported: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="allowed is the number of a registered version"):
        registered(build(1, **exported))
