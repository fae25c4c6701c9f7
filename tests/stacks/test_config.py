import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from stacks.config import FactoryConfig
from stacks.config_settings import CONTEXT_KEY, SettingError
from stacks.names import FactoryNames

PROJECT = Path(__file__).resolve().parents[2]


def test_cdk_json_holds_defaults_only() -> None:
    section = json.loads((PROJECT / "cdk.json").read_text())["context"]["factory"]
    assert FactoryConfig.from_context({"factory": section}) == FactoryConfig()


def test_the_command_line_overrides_one_setting() -> None:
    context = {
        "factory": {"name": "digits", "stage": "dev"},
        "factory.stage": "prod",
        "factory.training_max_runtime_seconds": "600",
        "factory.training_spot": "true",
        "factory.source": "github",
        "factory.repository": "acme/digits",
        "factory.trigger_paths": "ml_code/**, data/**",
    }
    config = FactoryConfig.from_context(context)
    assert (config.name, config.stage, config.training_max_runtime_seconds) == ("digits", "prod", 600)
    assert config.training_spot is True
    assert config.trigger_paths == ("ml_code/**", "data/**")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("name", "Digits"),
        ("name", "a" * 21),
        ("name", "double--hyphen"),
        ("name", None),
        ("stage", "test"),
        ("stage", ["dev"]),
        ("training_instance_type", "m5.large"),
        ("training_instance_type", "ml.m6g.large"),
        ("preprocess_instance_type", "ml.c7gd.2xlarge"),
        ("evaluate_instance_type", "ml.t4g.medium"),
        ("preprocess_instance_count", 0),
        ("training_max_runtime_seconds", True),
        ("training_max_runtime_seconds", "3600"),
        ("evaluate_max_runtime_seconds", 0),
        ("training_spot", "yes"),
        ("training_keep_alive_seconds", 3601),
        ("step_cache_days", -1),
        ("captured_retention_days", 1),
        ("batch_retention_days", -1),
        ("monitoring_retention_days", True),
        ("runs_retention_days", 29),
        ("source", "svn"),
        ("repository", "no-owner"),
        ("branch", "two words"),
        ("connection_arn", "arn:aws:s3:::bucket"),
        ("trigger_on_push", 1),
        ("trigger_paths", ["*"] * 9),
        ("trigger_schedule", "daily"),
        ("trigger_schedule", "rate(1 hours)"),
        ("trigger_schedule", "rate(0 minutes)"),
        ("trigger_schedule", "cron(0 3 * * * *)"),
        ("trigger_schedule", "cron(0 3 ? * MON)"),
        ("new_data_quiet_seconds", 5),
        ("drift_monitoring", "yes"),
        ("drift_window_minutes", 0),
        ("drift_window_minutes", 1441),
        ("drift_minimum_rows", 49),
        ("drift_threshold_percent", 0),
        ("name", "digits-monitor"),
        ("serverless_memory_mb", 1500),
        ("serverless_max_concurrency", 201),
        ("endpoint_mode", "async"),
        ("endpoint_instance_type", "ml.m7g.large"),
        ("endpoint_instance_count", 21),
        ("endpoint_max_instance_count", 1),
        ("endpoint_invocations_per_instance", 0),
        ("data_capture_percent", 101),
        ("rollout", "rolling"),
        ("rollout_step_percent", 51),
        ("rollout_bake_seconds", 60),
        ("latency_alarm_ms", 0),
        ("log_retention_days", 31),
        ("encryption", "kms"),
        ("name", "digits-staging"),
        ("name", "a-production-b"),
        ("monitoring", "yes"),
        ("notification_email", "nobody"),
        ("notification_email", None),
        ("monthly_budget_usd", -1),
        ("monthly_budget_usd", 1.5),
        ("permissions_boundary", "a policy"),
        ("pushing_roles", ("team/developers",)),
        ("pushing_roles", ("developers", "developers")),
        ("pushing_roles", tuple(f"role-{number}" for number in range(21))),
        ("permissions_boundary", "arn:aws:iam::1:role/x"),
        ("tags", "team=ml"),
        ("tags", {"aws:team": "ml"}),
        ("tags", {"model-factory": "other"}),
        ("tags", {"team": 1}),
        ("tags", {"team": ""}),
        ("tags", {f"key{number}": "x" for number in range(41)}),
    ],
)
def test_a_bad_value_is_refused_with_setting_value_and_what_is_allowed(setting: str, value: Any) -> None:
    with pytest.raises(SettingError) as refusal:
        FactoryConfig.from_context({"factory": {setting: value}})
    message = str(refusal.value)
    shown = tuple(value) if isinstance(value, list) and setting.endswith("paths") else value
    assert message.startswith(f"Setting factory.{setting} is {shown!r}, allowed is ")
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize("setting", fields(FactoryConfig), ids=lambda setting: setting.name)
def test_every_setting_refuses_values_of_other_types(setting: Any) -> None:
    accepted = {bool: bool, int: int}.get(setting.type, (str, tuple, Mapping))
    for value in (True, 5, 1.5, "5", "", None, ["x"], {"x": "y"}, [], [1], {"x": 1}):
        context = {CONTEXT_KEY: {setting.name: value}}
        read = tuple(value) if isinstance(value, list) else value
        if isinstance(read, accepted) and (type(value) is not bool or setting.type is bool):
            continue
        with pytest.raises(SettingError, match=rf"^Setting factory\.{setting.name} is .*, allowed is .*\.$"):
            FactoryConfig.from_context(context)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "github"}, "repository is '', allowed is owner/name while factory.source is github"),
        ({"repository": "acme/digits"}, "repository is 'acme/digits', allowed is nothing while"),
        (
            {"connection_arn": f"arn:aws:codeconnections:eu-central-1:{'1' * 12}:connection/abc"},
            "allowed is nothing while factory.source is codecommit",
        ),
        ({"trigger_paths": ["src/**"]}, "allowed is nothing while factory.source is codecommit"),
        (
            {
                "source": "gitlab",
                "repository": "group/team/digits",
                "trigger_on_push": False,
                "trigger_excluded_paths": ["docs/**"],
            },
            "allowed is nothing while factory.trigger_on_push is false",
        ),
        (
            {"drift_monitoring": True},
            (
                "drift_monitoring is True, allowed is false unless factory.endpoint_mode is realtime and "
                "factory.data_capture_percent above 0"
            ),
        ),
        ({"drift_monitoring": True, "endpoint_mode": "realtime"}, "and factory.data_capture_percent above 0"),
        (
            {"drift_minimum_rows": 500},
            "drift_minimum_rows is 500, allowed is 200 unless factory.drift_monitoring is true",
        ),
        (
            {"training_spot": True, "training_max_wait_seconds": 60},
            "training_max_wait_seconds is 60, allowed is no less than",
        ),
        (
            {"training_spot": True, "training_keep_alive_seconds": 60},
            "training_keep_alive_seconds is 60, allowed is 0 while factory.training_spot is true",
        ),
        (
            {"data_capture_percent": 10},
            "data_capture_percent is 10, allowed is 0 unless factory.endpoint_mode is realtime",
        ),
        (
            {"endpoint_mode": "realtime", "endpoint_instance_count": 3, "endpoint_max_instance_count": 3},
            "allowed is more than factory.endpoint_instance_count, 3, or 0",
        ),
        (
            {"endpoint_mode": "realtime", "endpoint_scale_in_cooldown_seconds": 10},
            "allowed is 300 while factory.endpoint_max_instance_count is 0",
        ),
        (
            {"endpoint_mode": "realtime", "rollout": "linear", "rollout_step_percent": 5},
            "allowed is an integer from 10 to 50 while factory.rollout is linear",
        ),
        (
            {"endpoint_mode": "realtime", "endpoint_instance_count": 1},
            "endpoint_instance_count is 1, allowed is at least 2 while factory.rollout is canary: SageMaker",
        ),
        (
            {"endpoint_mode": "realtime", "endpoint_instance_count": 1, "rollout": "linear"},
            "endpoint_instance_count is 1, allowed is at least 2 while factory.rollout is linear: SageMaker",
        ),
        (
            {"endpoint_mode": "realtime", "rollout": "all-at-once", "rollout_step_percent": 5},
            "allowed is 10 while factory.rollout is all-at-once",
        ),
        (
            {"endpoint_mode": "realtime", "rollout": "linear", "rollout_bake_seconds": 3000},
            "allowed is at most 2700 with steps of 10 percent",
        ),
        (
            {
                "endpoint_mode": "realtime",
                "endpoint_instance_type": "ml.m5d.large",
                "encryption": "customer",
            },
            "endpoint_instance_type is 'ml.m5d.large', allowed is with factory.encryption=customer a type",
        ),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)):
        FactoryConfig.from_context({"factory": settings})


@pytest.mark.parametrize(
    "expression",
    ["rate(1 day)", "rate(12 hours)", "cron(0 3 ? * MON-FRI *)", "cron(0/15 8-17 1,15 * ? 2027)"],
)
def test_schedules_of_eventbridge_are_allowed(expression: str) -> None:
    assert FactoryConfig(trigger_schedule=expression).trigger_schedule == expression


@pytest.mark.parametrize("context", [{"factory": {"stages": "dev"}}, {"factory.stages": "dev"}])
def test_an_unknown_setting_is_refused_with_the_known_ones(context: dict[str, Any]) -> None:
    with pytest.raises(
        SettingError, match=r"factory\.stages is 'dev', allowed is one of these settings: name, "
    ):
        FactoryConfig.from_context(context)


def test_the_command_line_gives_truth_and_tags_as_json() -> None:
    config = FactoryConfig.from_context({"factory.monitoring": "false", "factory.tags": '{"team": "ml"}'})
    assert (config.monitoring, config.tags) == (False, {"team": "ml"})


@pytest.mark.parametrize(
    ("setting", "value"), [("notification_email", "ops@example.com"), ("monthly_budget_usd", 50)]
)
def test_what_tells_somebody_is_refused_where_nobody_is_told(setting: str, value: Any) -> None:
    with pytest.raises(
        SettingError, match=rf"factory\.{setting} is .* none while factory\.monitoring is False"
    ):
        FactoryConfig.from_context({"factory": {"monitoring": False, setting: value}})


@pytest.mark.parametrize(
    "instance_type", ["ml.g5.xlarge", "ml.m5.large", "ml.m7i.24xlarge", "ml.p4d.24xlarge"]
)
def test_x86_instance_types_are_allowed(instance_type: str) -> None:
    assert FactoryConfig(training_instance_type=instance_type).training_instance_type == instance_type


def test_the_longest_name_still_fits_a_bucket() -> None:
    names = FactoryNames(factory="a" * 20, account="1" * 12, region="ap-southeast-99")
    assert len(names.access_log_bucket) <= 63


def test_a_cached_result_is_not_deleted_before_its_time() -> None:
    with pytest.raises(SettingError, match=r"runs_retention_days is 90, allowed is more than .*, 90, or 0"):
        FactoryConfig(step_cache_days=90)
    FactoryConfig(step_cache_days=90, runs_retention_days=0)
    FactoryConfig(step_cache_days=90, runs_retention_days=91)
