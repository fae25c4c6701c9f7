"""UpdateEndpoint with a DeploymentConfig: traffic by weight, alarms, rollback, what is refused."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.sagemaker.endpoints.serving import (
    answer,
    asking,
    canary,
    configuration,
    create_config,
    deploy,
    guarded,
    settle,
)

Wait = Callable[[Callable[[], bool]], None]
ALARM = "guard-alarm"


@pytest.fixture
def alarm(local: Any) -> Iterator[str]:
    cloudwatch = local.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=ALARM,
        Namespace="Test",
        MetricName="Nothing",
        Statistic="Sum",
        Period=86_400,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="ignore",
    )
    yield ALARM
    cloudwatch.delete_alarms(AlarmNames=[ALARM])


def test_canary_shifts_by_weight_and_loses_nothing(local: Any, wait_until: Wait, alarm: str) -> None:
    endpoint = deploy(local, wait_until, configuration(local, "old", serverless=False))
    new = configuration(local, "new", serverless=False)
    sagemaker = local.client()
    with asking(local, endpoint) as seen:
        wait_until(lambda: bool(seen))
        sagemaker.update_endpoint(
            EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=canary(alarm, wait=240, last=30)
        )
        wait_until(lambda: "new" in seen)
        first_new = seen.index("new")
        described = sagemaker.describe_endpoint(EndpointName=endpoint)
        wait_until(lambda: len(seen) > first_new + 60)
        share = seen[first_new:].count("new") / len(seen[first_new:])
        settle(local, wait_until, endpoint)
    assert set(seen[:first_new]) == {"old"}
    assert 0.2 < share < 0.8
    assert seen[-1] == "new"
    assert described["EndpointStatus"] == "Updating"
    assert described["EndpointConfigName"].startswith("old-")
    summary = described["PendingDeploymentSummary"]
    assert summary["EndpointConfigName"] == new
    (status,) = summary["ProductionVariants"][0]["VariantStatus"]
    assert status["Status"] == "Baking"
    assert status["StatusMessage"].startswith("Baking for 240 seconds (WaitIntervalInSeconds) with traffic")
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert described["EndpointConfigName"] == new
    assert "PendingDeploymentSummary" not in described
    assert "FailureReason" not in described
    assert described["LastDeploymentConfig"]["AutoRollbackConfiguration"] == {
        "Alarms": [{"AlarmName": alarm}]
    }
    sagemaker.delete_endpoint(EndpointName=endpoint)


def test_an_alarm_rolls_back(local: Any, wait_until: Wait, alarm: str) -> None:
    old = configuration(local, "old", serverless=False)
    endpoint = deploy(local, wait_until, old)
    new = configuration(local, "new", serverless=False)
    sagemaker = local.client()
    with asking(local, endpoint) as seen:
        sagemaker.update_endpoint(
            EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=canary(alarm, wait=3600)
        )
        wait_until(lambda: "new" in seen)
        set_alarm(local, "ALARM")
        described = settle(local, wait_until, endpoint)
        settled = len(seen)
        wait_until(lambda: len(seen) > settled + 20)
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == old
    assert described["FailureReason"].endswith(f"alarms are in state ALARM: {alarm}.")
    assert set(seen[settled + 2 :]) == {"old"}
    # An alarm that is in ALARM from the start lets nothing stay either; the configuration is the last one.
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new, RetainDeploymentConfig=True)
    described = settle(local, wait_until, endpoint)
    assert described["EndpointConfigName"] == old
    assert alarm in described["FailureReason"]
    set_alarm(local, "OK")
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new)
    described = settle(local, wait_until, endpoint)
    assert described["EndpointConfigName"] == new
    assert "LastDeploymentConfig" not in described
    assert "FailureReason" not in described
    sagemaker.delete_endpoint(EndpointName=endpoint)


def test_linear_and_all_at_once(local: Any, wait_until: Wait, alarm: str) -> None:
    endpoint = deploy(local, wait_until, configuration(local, "old", serverless=False))
    sagemaker = local.client()
    linear = guarded(
        alarm,
        {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 30}},
        wait=30,
        last=30,
    )
    started = time.monotonic()
    new = configuration(local, "new", serverless=False)
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=linear)
    messages = set()
    while (described := sagemaker.describe_endpoint(EndpointName=endpoint))["EndpointStatus"] == "Updating":
        for variant in described.get("PendingDeploymentSummary", {}).get("ProductionVariants", []):
            messages |= {status["StatusMessage"] for status in variant["VariantStatus"]}
        time.sleep(0.05)
    assert time.monotonic() - started > 2.0  # 30, 60, 90 and 100 %, half a second each
    assert described["EndpointConfigName"] == new
    assert "Launching 2 instance(s)." in messages
    assert any(
        "(TerminationWaitInSeconds) with traffic enabled on full capacity" in text for text in messages
    )
    third = configuration(local, "third", serverless=False)
    sagemaker.update_endpoint(
        EndpointName=endpoint,
        EndpointConfigName=third,
        DeploymentConfig=guarded(alarm, {"Type": "ALL_AT_ONCE"}, wait=0, last=3600),
    )
    runtime = local.client("sagemaker-runtime")
    wait_until(lambda: answer(runtime, endpoint) == "third")
    assert sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"] == new
    set_alarm(local, "ALARM")
    settle(local, wait_until, endpoint)
    assert answer(runtime, endpoint) == "new"
    sagemaker.delete_endpoint(EndpointName=endpoint)


def test_refusals(local: Any, wait_until: Wait, alarm: str, make_role: Any) -> None:
    old = configuration(local, "old", serverless=False)
    endpoint = deploy(local, wait_until, old)
    model = local.client().describe_endpoint_config(EndpointConfigName=old)["ProductionVariants"][0][
        "ModelName"
    ]
    other_name = f"{old}-other"
    local.client().create_endpoint_config(
        EndpointConfigName=other_name,
        ProductionVariants=[
            {
                "VariantName": "Other",
                "ModelName": model,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
    )
    create_config(local, f"{old}-serverless", model)
    create_config(local, f"{old}-one", model, serverless=False, instances=1)
    create_config(local, f"{old}-blind", blind_model(local, model, make_role), serverless=False)

    def refused(config: str, deployment: dict[str, Any], message: str) -> None:
        with pytest.raises(ClientError, match=message):
            local.client().update_endpoint(
                EndpointName=endpoint, EndpointConfigName=config, DeploymentConfig=deployment
            )

    refused(other_name, canary(alarm), 'same variant name as the old one: "AllTraffic", got "Other"')
    refused(f"{old}-serverless", canary(alarm), "not supported for serverless")
    refused(
        f"{old}-blind", canary(alarm), "not authorized to perform: cloudwatch:DescribeAlarms on resource: arn"
    )
    refused(old, canary("nope"), 'alarm "nope" of AutoRollbackConfiguration does not exist')
    refused(old, canary(alarm, percent=51), "CanarySize must be at most 50%")
    one = r"CanarySize must be at most 50% of the variant's total instance count \(1\), got 10 .*1 instance"
    refused(f"{old}-one", canary(alarm, percent=10), one)
    step = {"Type": "CAPACITY_PERCENT", "Value": 10}
    refused(
        f"{old}-one",
        guarded(alarm, {"Type": "LINEAR", "LinearStepSize": step}, wait=0),
        r"LinearStepSize must be at most 50% of the variant's total instance count \(1\)",
    )
    with pytest.raises(ClientError, match=one):
        local.client().create_endpoint(
            EndpointName=f"{endpoint}-one",
            EndpointConfigName=f"{old}-one",
            DeploymentConfig=canary(alarm, percent=10),
        )
    refused(
        old, canary(alarm, wait=3600, timeout=600), r"MaximumExecutionTimeoutInSeconds \(600\) must be larger"
    )
    refused(
        old,
        {
            "RollingUpdatePolicy": {
                "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
                "WaitIntervalInSeconds": 1,
            }
        },
        "does not support RollingUpdatePolicy",
    )
    refused(old, guarded(alarm, {"Type": "CANARY"}, wait=0), "CanarySize must be given with Type CANARY")
    assert local.client().describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"
    local.client().delete_endpoint(EndpointName=endpoint)


def blind_model(local: Any, model: str, make_role: Any) -> str:
    """A copy of the model whose role may do all but look at alarms."""
    described = local.client().describe_model(ModelName=model)
    role = make_role([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])
    name = f"{model}-blind"
    local.client().create_model(
        ModelName=name, ExecutionRoleArn=role, PrimaryContainer=described["PrimaryContainer"]
    )
    return name


def set_alarm(local: Any, state: str) -> None:
    local.client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue=state, StateReason="a test")
