"""docs/settings.md and the JSON Schemas are what `make reference` writes from the code."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ml_code.spec import MODEL_YAML, find_model
from ml_code.yaml_text import parse_yaml
from stacks.settings.model import OF_MODEL, model_config
from stacks.settings.reference import Setting, all_settings, cdk_json_schema, model_yaml_schema, reference
from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import EXAMPLE_MODEL, configured

PROJECT = Path(__file__).resolve().parents[2]


def as_text(schema: object) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


WRITTEN: dict[str, Callable[[], str]] = {
    "docs/settings.md": reference,
    "docs/cdk.schema.json": lambda: as_text(cdk_json_schema()),
    "docs/model.schema.json": lambda: as_text(model_yaml_schema()),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_reference_is_what_the_code_says(name: str) -> None:
    file, text = PROJECT / name, WRITTEN[name]()
    if os.environ.get("UPDATE_REFERENCE"):
        file.write_text(text)
    assert file.read_text() == text, f"{name} is old: run `make reference` and commit"


def test_every_setting_has_a_description_and_stands_once() -> None:
    assert not [setting.path for setting in all_settings() if not setting.schema.get("description")]
    assert len({(setting.path, setting.variant) for setting in all_settings()}) == len(all_settings())


def test_the_schemas_take_the_project_s_own_files() -> None:
    cdk_json = json.loads((PROJECT / "cdk.json").read_text())
    Draft202012Validator(cdk_json_schema()).validate(cdk_json)
    assert cdk_json["$schema"] == "docs/cdk.schema.json"
    schema = Draft202012Validator(model_yaml_schema())
    files = [find_model(PROJECT) / MODEL_YAML, *(PROJECT / "examples").glob(f"*/{MODEL_YAML}")]
    for text in (file.read_text() for file in files):
        schema.validate(parse_yaml(text))
        first_line, _, _ = text.partition("\n")
        if "yaml-language-server" in first_line:
            assert first_line == "# yaml-language-server: $schema=../../docs/model.schema.json"


def test_the_chinese_reference_names_each_setting() -> None:
    text = (PROJECT / "docs/settings_zh.md").read_text()
    missing = {setting.path for setting in all_settings() if f"`{setting.path}`" not in text}
    assert not missing


SCALARS: tuple[Any, ...] = (
    True,
    False,
    5,
    -1,
    1.5,
    "text",
    "",
    None,
    ["x"],
    [],
    [1],
    {"x": "y"},
    {"x": 1},
    {},
)


@pytest.mark.parametrize("setting", all_settings(), ids=lambda each: f"{each.path}-{each.variant}")
def test_a_setting_takes_no_value_that_its_json_schema_refuses(setting: Setting) -> None:
    """What editors mark is refused, with a sentence. The reverse is not so: some rules need Python."""
    checker = Draft202012Validator(cdk_json_schema())
    for value in SCALARS:
        beside = _beside(setting)
        context = {"context": {"factory": _nested({**beside, setting.path: value})}}
        has_commas = setting.schema.get("type") == "array" and isinstance(value, str)
        if checker.is_valid(context) or has_commas:
            continue
        with pytest.raises(ValueError, match=r"^Setting factory\.[\w.]+ is .*, allowed is .*\.$|is now"):
            configured({**beside, setting.path: value})


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_json_schema_takes_what_the_settings_take(configuration: str) -> None:
    settings = _nested(CONFIGURATIONS[configuration])
    Draft202012Validator(cdk_json_schema()).validate({"context": {"factory": settings}})


def _is_valid_model(own: Mapping[str, Any]) -> bool:
    document = parse_yaml(EXAMPLE_MODEL.read_text())
    assert isinstance(document, dict)
    return bool(Draft202012Validator(model_yaml_schema()).is_valid({**document, "factory": own}))


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_schema_of_a_model_takes_its_settings(configuration: str) -> None:
    own = {key: value for key, value in _nested(CONFIGURATIONS[configuration]).items() if key in OF_MODEL}
    own.get("triggers", {}).pop("push", None)
    model_config(configured(CONFIGURATIONS[configuration]), "churn", own)
    assert _is_valid_model(own)


REALTIME: Mapping[str, Any] = {"production.type": "realtime"}


@pytest.mark.parametrize(
    ("factory", "own"),
    [
        (REALTIME, {"production": {"instance_count": 3}}),
        (REALTIME, {"production": {"latency_alarm_ms": 300, "rollout": {"step_percent": 20}}}),
        (REALTIME, {"production": {"type": "serverless"}}),
        ({}, {"production": {"type": "realtime", "autoscaling": {"max_instance_count": 4}}}),
        ({}, {"compute": {"training": {"spot": True}}, "triggers": {"new_data": True}}),
        ({}, {"production": {}, "triggers": {}, "tags": {}}),
    ],
)
def test_a_section_of_a_model_needs_only_what_differs(
    factory: Mapping[str, Any], own: Mapping[str, Any]
) -> None:
    model_config(configured(factory), "churn", own)
    assert _is_valid_model(own)


@pytest.mark.parametrize(
    "own",
    [
        {"mlflow": {"type": "app"}},
        {"triggers": {"push": False}},
        {"production": {"colour": 1}},
        {"production": {"type": "serverless", "instance_count": 2}},
        {"production": {"memory_mb": 5}},
        {"compute": {"training": {"colour": 1}}},
        {"owners": ["nobody"]},
        {"approval": "never"},
    ],
)
def test_the_schema_of_a_model_refuses_what_its_settings_refuse(own: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"models/churn/model.yaml"):
        model_config(configured({}), "churn", own)
    assert not _is_valid_model(own)


def _beside(setting: Setting) -> dict[str, Any]:
    """What makes the setting's section one that has it."""
    section, _, name = setting.path.rpartition(".")
    beside: dict[str, Any] = {"production.type": "realtime"} if setting.path.startswith("production.") else {}
    if setting.variant and name != "type":
        beside = {**beside, f"{section}.type": setting.variant.split(", ")[0]}
    return beside


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(settings, key=lambda path: path.count(".")):
        *sections, name = path.split(".")
        target = found
        for section in sections:
            if not isinstance(target.get(section), dict):
                target[section] = {}
            target = target[section]
        value = settings[path]
        target[name] = list(value) if isinstance(value, tuple) else value
    return found
