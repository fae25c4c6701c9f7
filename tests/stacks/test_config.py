import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stacks.config import FactoryConfig, FactoryNames, SettingError

PROJECT = Path(__file__).resolve().parents[2]


def test_cdk_json_holds_defaults_only() -> None:
    section = json.loads((PROJECT / "cdk.json").read_text())["context"]["factory"]
    assert FactoryConfig.from_context({"factory": section}) == FactoryConfig()


def test_the_command_line_overrides_one_setting() -> None:
    context = {
        "factory": {"name": "digits", "stage": "dev"},
        "factory.stage": "prod",
        "factory.max_runtime_seconds": "600",
    }
    config = FactoryConfig.from_context(context)
    assert (config.name, config.stage, config.max_runtime_seconds) == ("digits", "prod", 600)


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
        ("processing_instance_type", "ml.c7gd.2xlarge"),
        ("max_runtime_seconds", True),
        ("max_runtime_seconds", "3600"),
        ("max_runtime_seconds", 0),
        ("serverless_memory_mb", 1500),
        ("serverless_max_concurrency", 201),
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
    assert message.startswith(f"Setting factory.{setting} is {value!r}, allowed is ")
    assert message.endswith(".")
    assert "\n" not in message


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
    assert len(names.artifact_bucket) <= 63


def test_the_app_answers_a_mistake_with_one_sentence() -> None:
    context = json.dumps({"factory": {"stage": "test"}})
    result = subprocess.run(
        [sys.executable, "app.py"],
        cwd=PROJECT,
        env={**os.environ, "CDK_CONTEXT_JSON": context},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "Setting factory.stage is 'test', allowed is one of dev, prod." in result.stderr
    assert "Traceback" not in result.stderr
