"""An endpoint on instances: the settings of its deployment, and what exists before its first update."""

import json
from typing import Any

from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import Synthesise, Synthesised, environment


def listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


def settings(factory: Synthesised, stage: str) -> Any:
    return json.loads(environment(factory, f"model-factory-digits-deploy-{stage}")["ENDPOINT_SETTINGS"])


def test_production_is_on_instances_and_staging_costs_nothing(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["realtime-all"])
    assert settings(factory, "staging")["mode"] == "serverless"
    found = settings(factory, "production")
    assert (found["mode"], found["instance_count"], found["max_instance_count"]) == ("realtime", 3, 6)
    assert (found["rollout"], found["rollout_step_percent"]) == ("linear", 25)
    assert found["subnets"] == list(CONFIGURATIONS["realtime-all"]["network.private_subnet_ids"])
    assert len(found["security_groups"]) == 1
    assert found["kms_key"]


def test_staging_on_an_instance_is_updated_at_once(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["realtime-staging"])
    found, production = settings(factory, "staging"), settings(factory, "production")
    assert (found["mode"], found["instance_type"], found["instance_count"]) == ("realtime", "ml.t2.medium", 1)
    assert (found["rollout"], found["alarms"], production["rollout"]) == ("all-at-once", [], "canary")
    assert found["kms_key"] == production["kms_key"]
    allowed = {
        action
        for policy, statement in factory.statements()
        if "staging" in policy.lower()
        for action in listed(statement["Action"])
    }
    assert {"kms:CreateGrant", "application-autoscaling:DeregisterScalableTarget"} <= allowed


def test_alarms_guard_updates_though_nobody_is_told(synthesise: Synthesise) -> None:
    factory = synthesise(CONFIGURATIONS["realtime-all"])
    alarms = {
        found["Properties"]["AlarmName"] for found in factory.of_type("AWS::CloudWatch::Alarm").values()
    }
    assert alarms == set(settings(factory, "production")["alarms"])
    assert {name.removeprefix("model-factory-digits-production-") for name in alarms} == {
        "errors",
        "latency",
        "quality",
    }


def test_serverless_without_monitoring_has_no_alarm(synthesise: Synthesise) -> None:
    assert not synthesise({"monitoring": False}).of_type("AWS::CloudWatch::Alarm")
