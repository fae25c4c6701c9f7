"""What watches live inputs, and what it may do."""

import json
from typing import Any

import pytest

from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import ACCOUNT, REGION, Synthesise, Synthesised

MONITOR = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/model-factory-digits-monitor"
BUCKET = f"arn:aws:s3:::model-factory-artifacts-{ACCOUNT}-{REGION}"


@pytest.fixture
def drift(synthesise: Synthesise) -> Synthesised:
    return synthesise(CONFIGURATIONS["drift"])


def alarm(factory: Synthesised) -> Any:
    (found,) = (
        each["Properties"]
        for each in factory.of_type("AWS::CloudWatch::Alarm").values()
        if each["Properties"]["AlarmName"] == "model-factory-digits-drift"
    )
    return found


def rules(factory: Synthesised) -> dict[str, Any]:
    found = factory.of_type("AWS::Events::Rule")
    return {
        key.removeprefix("Drift")[:-8]: each["Properties"]
        for key, each in found.items()
        if key.startswith("Drift")
    }


def arguments(factory: Synthesised) -> dict[str, Any]:
    (pipeline,) = (
        each["Properties"]
        for each in factory.of_type("AWS::SageMaker::Pipeline").values()
        if each["Properties"]["PipelineName"] == "model-factory-digits-monitor"
    )
    (step,) = json.loads(pipeline["PipelineDefinition"]["PipelineDefinitionBody"])["Steps"]
    words = step["Arguments"]["AppSpecification"]["ContainerArguments"]
    return dict(zip(words[::2], words[1::2], strict=True))


def test_by_default_nothing_watches(factory: Synthesised) -> None:
    assert not [key for key in factory.resources if key.startswith("Drift")]
    assert "DriftedFeatures" not in json.dumps(factory.resources)


def test_two_windows_in_five_set_the_alarm_off(drift: Synthesised) -> None:
    properties = alarm(drift)
    assert properties["Namespace"] == "ModelFactory"
    assert properties["MetricName"] == "DriftedFeatures"
    assert properties["Dimensions"] == [{"Name": "EndpointName", "Value": "model-factory-digits-production"}]
    assert (properties["DatapointsToAlarm"], properties["EvaluationPeriods"]) == (2, 5)
    assert (properties["Threshold"], properties["Statistic"]) == (1, "Maximum")
    assert properties["TreatMissingData"] == "notBreaching"
    assert properties["Period"] == 3600
    assert rules(drift)["Windows"]["ScheduleExpression"] == "rate(1 hour)"


def test_the_alarm_s_event_reaches_the_function(drift: Synthesised) -> None:
    pattern = rules(drift)["Alarmed"]["EventPattern"]
    assert pattern == {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": ["model-factory-digits-drift"], "state": {"value": ["ALARM"]}},
    }
    targets = {json.dumps(rule["Targets"][0]["Arn"]) for rule in rules(drift).values()}
    assert len(targets) == 1


def test_the_settings_reach_the_job(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["key-drift"])
    assert (alarm(factory)["Period"], rules(factory)["Windows"]["ScheduleExpression"]) == (
        900,
        "rate(15 minutes)",
    )
    found = arguments(factory)
    assert (found["--minimum-rows"], found["--smallest-statistic"]) == ("1000", "0.1")
    bucket = f"s3://model-factory-artifacts-{ACCOUNT}-{REGION}"
    assert found["--captured-uri"] == f"{bucket}/captured/model-factory-digits-production/AllTraffic/"
    assert found["--reports-uri"] == f"{bucket}/monitoring/model-factory-digits-production/"


def allowed(factory: Synthesised, role: str) -> dict[str, Any]:
    return {
        statement["Sid"]: statement["Resource"]
        for policy, statement in factory.statements()
        if policy.startswith(role)
    }


def test_the_function_may_look_and_start_and_nothing_else(drift: Synthesised) -> None:
    sagemaker = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
    assert allowed(drift, "DriftRole") == {
        "WriteLogs": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/model-factory-digits-monitor:*",
        "ReadServed": f"{sagemaker}:endpoint/model-factory-digits-production",
        "ReadLineage": f"{sagemaker}:endpoint-config/model-factory-digits-production-*",
        "FindCaptures": BUCKET,
        "ReadReports": f"{BUCKET}/monitoring/model-factory-digits-production/*",
        "StartComparison": MONITOR,
        "ReadWindow": f"{MONITOR}/execution/*",
        "Retrain": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:model-factory-digits",
    }


def test_the_job_writes_reports_and_no_result_of_a_training(drift: Synthesised) -> None:
    found = allowed(drift, "DriftPipelineJobRole")
    assert found["ReadCodeAndCaptures"] == [
        f"{BUCKET}/code/digits/*",
        f"{BUCKET}/captured/model-factory-digits-production/AllTraffic/*",
    ]
    assert found["WriteReports"] == f"{BUCKET}/monitoring/model-factory-digits-production/*"
    (metrics,) = (
        statement
        for policy, statement in drift.statements()
        if policy.startswith("DriftPipelineJobRole") and statement["Sid"] == "PutMetrics"
    )
    namespaces = ["/aws/sagemaker/ProcessingJobs", "ModelFactory"]
    assert metrics["Condition"] == {"StringEquals": {"cloudwatch:namespace": namespaces}}


def test_a_destroy_stops_it_first(drift: Synthesised) -> None:
    (teardown,) = (
        each["Properties"]
        for each in drift.every("AWS::CloudFormation::CustomResource").values()
        if "SageMakerPipelineNames" in each["Properties"]
    )
    assert teardown["SageMakerPipelineNames"] == ["model-factory-digits", "model-factory-digits-monitor"]
    assert len(teardown["RuleNames"]) == 3
    found = allowed(drift, "ModelTeardownRole")
    assert found["StopComparisons"] == f"{MONITOR}/execution/*"
    assert len(found["DisableTriggers"]) == 3


def test_people_see_it_and_hear_of_it(drift: Synthesised) -> None:
    dashboard = json.dumps(drift.only("AWS::CloudWatch::Dashboard")["Properties"])
    for shown in (
        "alarm:model-factory-digits-drift",
        "DriftedFeatures",
        "LargestDrift",
        "UnreadableCaptures",
    ):
        assert shown in dashboard
    (told,) = (
        each["Properties"]["EventPattern"]["detail"]["alarmName"]
        for key, each in drift.of_type("AWS::Events::Rule").items()
        if key.startswith("ObservabilityNotificationsAlarm")
    )
    assert "model-factory-digits-drift" in told


def test_it_needs_no_dashboard_and_no_topic(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["drift-untold"])
    assert alarm(factory)
    assert not factory.of_type("AWS::CloudWatch::Dashboard")
