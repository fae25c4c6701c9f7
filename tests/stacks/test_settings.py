"""The settings: what is allowed, and the sentence that refuses the rest."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stacks.names import FactoryNames
from stacks.settings.context import read_config
from stacks.settings.errors import SettingError
from stacks.settings.factory import FactoryConfig
from stacks.settings.moved import MOVED
from stacks.settings.reference import all_settings
from tests.stacks.synthesis import configured

PROJECT = Path(__file__).resolve().parents[2]
REALTIME = {"production.type": "realtime"}
GITHUB = {"source.type": "github", "source.repository": "acme/digits"}


def test_cdk_json_holds_defaults_only() -> None:
    section = json.loads((PROJECT / "cdk.json").read_text())["context"]["factory"]
    assert read_config({"factory": section}) == FactoryConfig()


def test_the_command_line_overrides_one_setting() -> None:
    config = read_config(
        {
            "factory": {"name": "digits", "stage": "dev", "production": {"type": "realtime", "drift": False}},
            "factory.stage": "prod",
            "factory.compute.training.max_runtime_seconds": "600",
            "factory.compute.training.spot": "true",
            "factory.source.type": "github",
            "factory.source.repository": "acme/digits",
            "factory.source.branch": "2026",
            "factory.triggers.push.paths": "ml_code/**, data/**",
            "factory.production.data_capture_percent": "10",
            "factory.production.drift.minimum_rows": "60",
            "factory.production.rollout": '{"type": "all-at-once"}',
            "factory.monitoring": "false",
            "factory.tags": '{"team": "ml"}',
        }
    )
    assert (config.name, config.stage, config.compute.training.max_runtime_seconds) == ("digits", "prod", 600)
    assert config.compute.training.spot == FactoryConfig().compute.training.spot
    assert config.source.branch == "2026"
    assert config.triggers.push
    assert config.triggers.push.paths == ("ml_code/**", "data/**")
    assert config.production.type == "realtime"
    assert config.production.drift
    assert config.production.drift.minimum_rows == 60
    assert config.production.rollout.type == "all-at-once"
    assert (config.monitoring, config.tags) == (False, {"team": "ml"})


def test_true_is_a_section_with_its_defaults_and_false_is_off() -> None:
    assert configured({"triggers.new_data": True}) == configured({"triggers.new_data.quiet_seconds": 300})
    assert configured({"compute.training.spot": False}).compute.training.spot is False


def test_a_section_without_a_type_is_of_the_default_type() -> None:
    assert configured({"production.memory_mb": 4096}).production.type == "serverless"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "Digits"),
        ("name", "a" * 21),
        ("name", "double--hyphen"),
        ("name", "digits-staging"),
        ("name", "a-production-b"),
        ("name", "digits-monitor"),
        ("name", "line\n"),
        ("stage", "test"),
        ("stage", ["dev"]),
        ("compute.training.instance_type", "m5.large"),
        ("compute.training.instance_type", "ml.m6g.large"),
        ("compute.preprocess.instance_type", "ml.c7gd.2xlarge"),
        ("compute.evaluate.instance_type", "ml.t4g.medium"),
        ("compute.preprocess.instance_count", 0),
        ("compute.training.max_runtime_seconds", True),
        ("compute.training.max_runtime_seconds", "1h"),
        ("compute.evaluate.max_runtime_seconds", 0),
        ("compute.evaluate.instance_count", 2),
        ("evaluate_instance_count", 2),
        ("compute.training.volume_gb", 0),
        ("compute.preprocess.volume_gb", 20_000),
        ("compute.training.spot", "yes"),
        ("compute.training.keep_alive_seconds", 3601),
        ("compute.cache_days", -1),
        ("retention.captured_days", 1),
        ("retention.batch_days", -1),
        ("retention.monitoring_days", True),
        ("retention.runs_days", 29),
        ("retention.log_days", 31),
        ("source.type", "svn"),
        ("source.branch", "two words"),
        ("triggers.push", 1),
        ("triggers.push.paths", ["*"] * 9),
        ("triggers.schedule", "daily"),
        ("triggers.schedule", "rate(1 hours)"),
        ("triggers.schedule", "rate(0 minutes)"),
        ("triggers.schedule", "cron(0 3 * * * *)"),
        ("triggers.schedule", "cron(0 3 ? * MON)"),
        ("triggers.new_data.quiet_seconds", 5),
        ("production.memory_mb", 1500),
        ("production.max_concurrency", 201),
        ("production.type", "async"),
        ("production.latency_alarm_ms", 0),
        ("encryption", "kms"),
        ("monitoring", "yes"),
        ("monitoring.notification_email", "nobody"),
        ("monitoring.monthly_budget_usd", -1),
        ("monitoring.monthly_budget_usd", 1.5),
        ("permissions_boundary", "a policy"),
        ("permissions_boundary", "arn:aws:iam::1:role/x"),
        ("pushing_roles", ["developers", "developers"]),
        ("pushing_roles", [f"role-{number}" for number in range(21)]),
        ("tags", "team=ml"),
        ("tags", {"aws:team": "ml"}),
        ("tags", {"model-factory": "other"}),
        ("tags", {"team": ""}),
        ("tags", {f"key{number}": "x" for number in range(41)}),
    ],
)
def test_a_bad_value_is_refused_with_setting_value_and_what_is_allowed(path: str, value: Any) -> None:
    refuses(path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("production.drift.window_minutes", 0),
        ("production.drift.window_minutes", 1441),
        ("production.drift.minimum_rows", 49),
        ("production.drift.threshold_percent", 0),
        ("production.instance_type", "ml.m7g.large"),
        ("production.instance_count", 21),
        ("production.autoscaling.max_instance_count", 1),
        ("production.data_capture_percent", 101),
        ("production.rollout.type", "rolling"),
        ("production.rollout.step_percent", 51),
        ("production.rollout.bake_seconds", 60),
    ],
)
def test_a_bad_value_of_production_on_instances_is_refused(path: str, value: Any) -> None:
    refuses(path, value, REALTIME)


@pytest.mark.parametrize(
    ("path", "value"), [("source.repository", "no-owner"), ("source.connection_arn", "arn:aws:s3:::bucket")]
)
def test_a_bad_value_of_a_connected_repository_is_refused(path: str, value: Any) -> None:
    refuses(path, value, GITHUB)


def refuses(path: str, value: Any, beside: Mapping[str, Any] = {}) -> None:
    with pytest.raises(SettingError) as refusal:
        configured({**beside, path: value})
    message = str(refusal.value)
    assert message.startswith(f"Setting factory.{path} is {value!r}, allowed is ")
    assert message.endswith(".")
    assert "\n" not in message


def test_of_a_list_the_bad_text_is_named() -> None:
    with pytest.raises(SettingError, match=r"pushing_roles is 'team/b', allowed is a list of at most 20"):
        configured({"pushing_roles": ["a", "team/b"]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source.type": "github"}, "source.repository is missing, allowed is owner/name."),
        (
            {"source.repository": "acme/digits"},
            "source.repository is 'acme/digits', allowed is one of the settings of source: type, branch.",
        ),
        (
            {"triggers.push.paths": ["src/**"]},
            "triggers.push.paths is ('src/**',), allowed is nothing while source.type is codecommit.",
        ),
        (
            {**REALTIME, "production.drift": True},
            "production.data_capture_percent is 0, allowed is above 0 while drift is on, which compares what is captured.",
        ),
        (
            {"production.drift": True},
            "production.drift is True, allowed is one of the settings of production: type, ",
        ),
        (
            {"compute.training.spot.max_wait_seconds": 60},
            "compute.training.spot.max_wait_seconds is 60, allowed is no less than max_runtime_seconds, 3600.",
        ),
        (
            {"compute.training.keep_alive_seconds": 60},
            "compute.training.keep_alive_seconds is 60, allowed is 0 unless spot is false: spot instances are not kept.",
        ),
        (
            {**REALTIME, "production.instance_count": 3, "production.autoscaling.max_instance_count": 3},
            "production.autoscaling.max_instance_count is 3, allowed is more than instance_count, 3.",
        ),
        (
            {**REALTIME, "production.autoscaling": True},
            "production.autoscaling.max_instance_count is missing, allowed is an integer from 2 to 100.",
        ),
        (
            {**REALTIME, "production.rollout.type": "linear", "production.rollout.step_percent": 5},
            "production.rollout.step_percent is 5, allowed is an integer from 10 to 50.",
        ),
        (
            {**REALTIME, "production.rollout.type": "linear", "production.rollout.bake_seconds": 3600},
            "production.rollout.bake_seconds is 3600, allowed is at most 2700 with steps of 10 percent: SageMaker",
        ),
        (
            {**REALTIME, "production.instance_count": 1},
            "production.instance_count is 1, allowed is at least 2 while rollout.type is canary: SageMaker shifts",
        ),
        (
            {**REALTIME, "production.rollout.type": "all-at-once", "production.rollout.step_percent": 5},
            "production.rollout.step_percent is 5, allowed is one of the settings of production.rollout: type, ",
        ),
        (
            {"staging.type": "realtime"},
            "staging.type is 'realtime', allowed is serverless unless production.type is",
        ),
        (
            {**REALTIME, "production.instance_type": "ml.m5d.large", "encryption": "customer"},
            "production.instance_type is 'ml.m5d.large', allowed is with encryption customer a type without local disks",
        ),
        (
            {"compute.cache_days": 90},
            "retention.runs_days is 90, allowed is more than compute.cache_days, 90, or 0",
        ),
        ({"network": 5}, 'network is 5, allowed is an object of settings such as {"type": "none"}.'),
        ({"stages": "dev"}, "stages is 'dev', allowed is one of these settings: name, stage, source, "),
        ({"compute.train": 1}, "compute.train is 1, allowed is one of the settings of compute: preprocess, "),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"Setting factory.{message}")):
        configured(settings)


@pytest.mark.parametrize("context", [{"factory": 5}, {"factory": "prod"}])
def test_settings_that_are_no_object_are_refused(context: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=r"Setting factory is .*, allowed is an object of settings"):
        read_config(context)


@pytest.mark.parametrize("setting", MOVED)
def test_a_setting_of_the_first_version_is_refused_with_its_new_name(setting: str) -> None:
    message = rf"Setting factory\.{setting} is now factory\.{re.escape(MOVED[setting])}: move 'x' there\."
    for context in ({"factory": {setting: "x"}}, {f"factory.{setting}": "x"}):
        with pytest.raises(ValueError, match=message):
            read_config(context)


def test_the_new_names_are_names_of_settings() -> None:
    assert set(MOVED.values()) <= {setting.path for setting in all_settings()}


@pytest.mark.parametrize(
    "expression",
    ["rate(1 day)", "rate(12 hours)", "cron(0 3 ? * MON-FRI *)", "cron(0/15 8-17 1,15 * ? 2027)"],
)
def test_schedules_of_eventbridge_are_allowed(expression: str) -> None:
    assert configured({"triggers.schedule": expression}).triggers.schedule == expression


@pytest.mark.parametrize(
    "instance_type",
    ["ml.g5.xlarge", "ml.m5.large", "ml.m7i.24xlarge", "ml.p4d.24xlarge", "ml.c6i-flex.large"],
)
def test_x86_instance_types_are_allowed(instance_type: str) -> None:
    config = configured({"compute.training.instance_type": instance_type})
    assert config.compute.training.instance_type == instance_type


def test_the_longest_name_still_fits_a_bucket() -> None:
    names = FactoryNames(factory="a" * 20, account="1" * 12, region="ap-southeast-99")
    assert len(names.access_log_bucket) <= 63


def test_a_cached_result_is_kept_as_long_as_it_is_used() -> None:
    configured({"compute.cache_days": 90, "retention.runs_days": 0})
    configured({"compute.cache_days": 90, "retention.runs_days": 91})
