import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from tests.options.functions import load_function, stub_clients

NOW = datetime(2026, 11, 24, 12, 30, 7, 500, tzinfo=UTC)
END = datetime(2026, 11, 24, 12, 30, 6, tzinfo=UTC)
TOKEN = "0f1e2d3c-0000-1111-2222-333344445555"  # noqa: S105
ARN = "arn:aws:sagemaker:eu-central-1:123456789012"
CAPTURED = "captured/digits-production/AllTraffic/"
REPORTS = "monitoring/digits-production/"
SCHEDULED = {"source": "aws.events", "id": TOKEN}
ALARMED = {"source": "aws.cloudwatch", "id": TOKEN}
TAGS = {"code-uri": "s3://artifacts/code/c0ffee/", "model-version": "7", "run-id": "r7", "commit": "c0ffee"}


class Services:
    """The function's clients, stubbed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sagemaker, self.s3, self.codepipeline = stub_clients(
            monkeypatch, "sagemaker", "s3", "codepipeline"
        )

    def all(self) -> tuple[Stubber, ...]:
        return self.sagemaker, self.s3, self.codepipeline

    def has_endpoint(self) -> None:
        answer = {
            "EndpointName": "digits-production",
            "EndpointArn": f"{ARN}:endpoint/digits-production",
            "EndpointConfigName": "digits-production-v7-ab",
            "EndpointStatus": "InService",
            "CreationTime": NOW,
            "LastModifiedTime": NOW,
        }
        self.sagemaker.add_response("describe_endpoint", answer, {"EndpointName": "digits-production"})

    def last_compared(self, status: str | None, end: datetime | None = None) -> None:
        execution = f"{ARN}:pipeline/digits-monitor/execution/e1"
        found = [{"PipelineExecutionArn": execution, "PipelineExecutionStatus": status}] if status else []
        self.sagemaker.add_response("list_pipeline_executions", {"PipelineExecutionSummaries": found})
        if end:
            parameters = [
                {"Name": "CodeUri", "Value": "x"},
                {"Name": "WindowEnd", "Value": end.isoformat()},
            ]
            self.sagemaker.add_response(
                "list_pipeline_parameters_for_execution",
                {"PipelineParameters": parameters},
                {"PipelineExecutionArn": execution},
            )

    def captured(self, *moments: datetime, after: str) -> None:
        contents = [
            {"Key": f"{CAPTURED}2026/11/24/12/{number}.jsonl", "LastModified": moment}
            for number, moment in enumerate(moments)
        ]
        request = {"Bucket": "artifacts", "Prefix": CAPTURED, "StartAfter": f"{CAPTURED}{after}"}
        self.s3.add_response("list_objects_v2", {"Contents": contents}, request)

    def expect_comparison(self, start: datetime) -> None:
        tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        config = f"{ARN}:endpoint-config/digits-production-v7-ab"
        self.sagemaker.add_response("list_tags", {"Tags": tags}, {"ResourceArn": config})
        parameters = {
            "CodeUri": "s3://artifacts/code/c0ffee/",
            "ModelVersion": "7",
            "RunId": "r7",
            "WindowStart": start.isoformat(),
            "WindowEnd": END.isoformat(),
        }
        request = {
            "PipelineName": "digits-monitor",
            "PipelineParameters": [{"Name": name, "Value": value} for name, value in parameters.items()],
            "ClientRequestToken": TOKEN,
        }
        self.sagemaker.add_response("start_pipeline_execution", {"PipelineExecutionArn": "x" * 60}, request)

    def deliveries(self, *found: tuple[str, str | None]) -> None:
        """Status and, of those in progress, TriggerReason."""
        summaries = [
            {"pipelineExecutionId": f"e{number}", "status": status}
            for number, (status, _) in enumerate(found)
        ]
        self.codepipeline.add_response(
            "list_pipeline_executions", {"pipelineExecutionSummaries": summaries}, {"pipelineName": "digits"}
        )
        for number, (_, reason) in enumerate(found):
            if reason is not None:
                variables = [
                    {"name": "DataPrefix", "resolvedValue": "raw/"},
                    {"name": "TriggerReason", "resolvedValue": reason},
                ]
                self.codepipeline.add_response(
                    "get_pipeline_execution",
                    {"pipelineExecution": {"pipelineExecutionId": f"e{number}", "variables": variables}},
                    {"pipelineName": "digits", "pipelineExecutionId": f"e{number}"},
                )

    def reported(self, *windows: list[str]) -> None:
        keys = [f"{REPORTS}2026-11-24T0{number}:00:00Z.json" for number in range(len(windows))]
        contents = [{"Key": key, "LastModified": NOW} for key in keys]
        self.s3.add_response(
            "list_objects_v2",
            {"Contents": contents},
            {"Bucket": "artifacts", "Prefix": REPORTS, "StartAfter": ANY},
        )
        for key, drifted in list(zip(keys, windows, strict=True))[-5:]:
            body = json.dumps({"drifted": drifted}).encode()
            self.s3.add_response(
                "get_object", {"Body": io.BytesIO(body)}, {"Bucket": "artifacts", "Key": key}
            )

    def expect_retraining(self, reason: str) -> None:
        request = {
            "name": "digits",
            "variables": [{"name": "TriggerReason", "value": reason}],
            "clientRequestToken": TOKEN,
        }
        self.codepipeline.add_response("start_pipeline_execution", {"pipelineExecutionId": "new"}, request)


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    services = Services(monkeypatch)
    variables = {
        "ENDPOINT_NAME": "digits-production",
        "ARTIFACT_BUCKET": "artifacts",
        "CAPTURED_PREFIX": CAPTURED,
        "REPORTS_PREFIX": REPORTS,
        "WINDOW_MINUTES": "60",
        "EVALUATED_WINDOWS": "5",
        "MONITOR_PIPELINE_NAME": "digits-monitor",
        "DELIVERY_PIPELINE_NAME": "digits",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield services
    for stub in services.all():
        stub.assert_no_pending_responses()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_function("drift")

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls.fromisoformat(NOW.isoformat())

    monkeypatch.setattr(module, "datetime", Clock)
    return module


def test_the_first_window_is_compared_with_what_its_endpoint_serves(
    index: ModuleType, services: Services
) -> None:
    services.has_endpoint()
    services.last_compared(None)
    services.captured(END, after="2026/11/24/09")
    services.expect_comparison(END - timedelta(hours=1))
    index.handler(SCHEDULED, None)


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Stopped"])
def test_a_window_begins_where_the_last_one_ended(index: ModuleType, services: Services, status: str) -> None:
    before = END - timedelta(hours=3)
    services.has_endpoint()
    services.last_compared(status, before)
    services.captured(before, before + timedelta(seconds=1), after="2026/11/24/07")
    services.expect_comparison(before)
    index.handler(SCHEDULED, None)


@pytest.mark.parametrize("moment", [END - timedelta(hours=1), END + timedelta(seconds=1)])
def test_nothing_starts_without_captures_in_the_window(
    index: ModuleType, services: Services, moment: datetime
) -> None:
    services.has_endpoint()
    services.last_compared(None)
    services.captured(moment, after="2026/11/24/09")
    index.handler(SCHEDULED, None)


def test_nothing_starts_while_a_comparison_runs(index: ModuleType, services: Services) -> None:
    services.has_endpoint()
    services.last_compared("Executing")
    index.handler(SCHEDULED, None)


def test_nothing_starts_before_there_is_an_endpoint(index: ModuleType, services: Services) -> None:
    services.sagemaker.add_client_error(
        "describe_endpoint", "ValidationException", 'Could not find endpoint "x".'
    )
    index.handler(SCHEDULED, None)


def test_another_refusal_is_an_error(index: ModuleType, services: Services) -> None:
    services.sagemaker.add_client_error("describe_endpoint", "AccessDeniedException", "not authorized")
    with pytest.raises(Exception, match="not authorized"):
        index.handler(SCHEDULED, None)


def test_the_alarm_starts_a_delivery_that_names_the_features_of_the_last_five_windows(
    index: ModuleType, services: Services
) -> None:
    services.deliveries(("Succeeded", None), ("InProgress", "push"))
    services.reported(["old"], [], ["b"], [], [], ["a", "b"])
    services.expect_retraining("drift: b, a")
    index.handler(ALARMED, None)


def test_the_alarm_starts_nothing_while_a_delivery_by_drift_is_under_way(
    index: ModuleType, services: Services
) -> None:
    services.deliveries(("Failed", None), ("InProgress", "drift: a"))
    index.handler(ALARMED, None)


def test_an_alarm_that_no_report_explains_is_an_error(index: ModuleType, services: Services) -> None:
    services.deliveries()
    services.reported([], [])
    with pytest.raises(
        LookupError, match=r"no report since .* in monitoring/digits-production/ names a feature"
    ):
        index.handler(ALARMED, None)


def test_a_reason_is_short_and_without_what_json_would_quote(index: ModuleType) -> None:
    assert index.reason(["a", "b"]) == "drift: a, b"
    assert index.reason(['say "x"\\\n']) == "drift: say ?x???"
    many = index.reason([f"feature_{number}" for number in range(64)])
    assert many.startswith("drift: feature_0, feature_1, ")
    assert many.endswith("feature_9 and 54 more")
    assert len(index.reason(["x" * 2000])) == 200
