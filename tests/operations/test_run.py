from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from operations import run
from operations.errors import OperationError
from operations.factory import Model

MODEL = Model("churn", "factory-churn")


@pytest.fixture
def codepipeline(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
    client = boto3.client("codepipeline", region_name="us-east-1", **keys)
    monkeypatch.setattr(boto3, "client", lambda name: client)
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("given", "request_"),
    [
        ({}, {"variables": [{"name": "TriggerReason", "value": "new labels"}], "sourceRevisions": []}),
        (
            {"data_prefix": "raw/churn/2026/", "commit": "abc"},
            {
                "variables": [
                    {"name": "TriggerReason", "value": "new labels"},
                    {"name": "DataPrefix", "value": "raw/churn/2026/"},
                ],
                "sourceRevisions": [
                    {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "abc"}
                ],
            },
        ),
    ],
)
def test_a_person_sets_what_is_given(
    codepipeline: Stubber, given: dict[str, str], request_: dict[str, Any]
) -> None:
    started = {"pipelineExecutionId": "an-execution"}
    codepipeline.add_response("start_pipeline_execution", started, {"name": MODEL.prefix, **request_})
    arguments = {"data_prefix": "", "commit": "", **given}
    assert run.start(MODEL, reason="new labels", **arguments) == "an-execution"


@pytest.mark.parametrize(
    ("reason", "data_prefix", "message"),
    [
        ('"quoted"', "", "TriggerReason is"),
        ("a" * 201, "", "TriggerReason is"),
        ("why", "raw/digits/", "DataPrefix is 'raw/digits/', allowed is a prefix below raw/churn/"),
        ("why", "mlflow/", "DataPrefix is 'mlflow/', allowed is a prefix below raw/churn/"),
    ],
)
def test_what_would_not_arrive_is_refused(reason: str, data_prefix: str, message: str) -> None:
    with pytest.raises(OperationError, match=message):
        run.start(MODEL, reason=reason, data_prefix=data_prefix, commit="")
