"""What must hold for every configuration."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint

from stacks.settings.reference import Setting, all_settings
from tests.options.conftest import Proofs
from tests.options.proof import Proof
from tests.pipeline_requests import dangling_references, invalid_requests
from tests.stacks.configurations import CONFIGURATIONS, LINTED, LINTED_ALWAYS
from tests.stacks.synthesis import REGION, Synthesised
from tests.stacks.test_stack import (  # noqa: F401 (pytest finds them here)
    test_buckets_are_private_encrypted_and_speak_tls_only,
    test_data_and_artifacts_have_versions,
    test_every_taggable_resource_bears_the_factory,
    test_teardown_is_deleted_before_anything_that_it_cleans,
    test_the_first_run_finds_all_that_a_build_calls_and_who_tells_of_its_failure,
    test_the_outputs_name_what_a_person_needs,
)

# Redundant DependsOn: CDK writes one for each resource below a construct that another depends on. Harmless,
# and CDK's own validation ignores the rule as well.
IGNORED_LINT_RULES = ["W3005"]


@pytest.fixture
def factory(proof: Proof) -> Synthesised:
    """Of each configuration, for the tests that are imported here."""
    return proof.factory


@pytest.mark.parametrize("setting", all_settings(), ids=lambda each: f"{each.path}-{each.variant}")
def test_every_setting_is_proved_with_every_option(setting: Setting) -> None:
    proved = [each[setting.path] for each in CONFIGURATIONS.values() if setting.path in each]
    if setting.is_section:
        within = [path for each in CONFIGURATIONS.values() for path in each if path.startswith(setting.path)]
        assert within, f"no configuration sets anything of {setting.path}"
    elif options := setting.schema.get(
        "enum", [setting.schema["const"]] if "const" in setting.schema else []
    ):
        default = setting.schema.get("default")
        few = options if len(options) < 4 else []
        assert not [option for option in few if option not in proved and option != default]
    else:
        values = [value for value in proved if value != setting.schema.get("default")]
        assert values, f"no configuration sets {setting.path}"


def test_no_reviewer_s_finding_is_open(proof: Proof) -> None:
    assert not proof.findings, "\n".join(proof.findings)


def test_every_acknowledgement_still_covers_a_finding(proof: Proof) -> None:
    assert proof.acknowledged == proof.covering


@pytest.mark.parametrize(
    "proof",
    [name if name in LINTED_ALWAYS else pytest.param(name, marks=pytest.mark.slow) for name in LINTED],
    indirect=True,
)
def test_cloudformation_s_linter_finds_nothing(proof: Proof) -> None:
    template = (proof.factory.directory / f"{proof.factory.name}.template.json").read_text()
    matches = lint(template, config=ManualArgs(regions=[REGION], ignore_checks=IGNORED_LINT_RULES))
    assert not matches, "\n".join(f"{match.rule.id} {match.message} {match.path}" for match in matches)


def test_the_linter_sees_every_property_of_every_configuration(proofs: Proofs) -> None:
    paths = {name: property_paths(proofs[name].factory) for name in CONFIGURATIONS}
    assert set().union(*paths.values()) == set().union(*(paths[name] for name in LINTED))


def property_paths(factory: Synthesised) -> set[str]:
    """Type and property, down to the last, of all that the resources have."""

    def walk(path: str, value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, item in value.items():
                yield from walk(f"{path}.{key}", item)
        elif isinstance(value, list):
            for item in value:
                yield from walk(path, item)
        else:
            yield path

    return {
        path
        for found in factory.resources.values()
        for path in walk(found["Type"], found.get("Properties", {}))
    }


def test_a_push_writes_the_definition_of_the_template(proof: Proof) -> None:
    assert definition(proof) == json.loads(proof.pushed_definition)


def test_each_request_of_the_definition_has_the_shape_that_the_service_takes(proof: Proof) -> None:
    assert definitions(proof)
    for found in definitions(proof).values():
        assert invalid_requests(found) == []


def test_each_property_reference_of_the_definition_is_in_the_service_s_answer(proof: Proof) -> None:
    assert dangling_references(definition(proof)) == []


def definition(proof: Proof) -> dict[str, Any]:
    return definitions(proof)[proof.factory.prefix]


def definitions(proof: Proof) -> dict[str, dict[str, Any]]:
    """By the pipeline's name."""
    pipelines = [each["Properties"] for each in proof.factory.of_type("AWS::SageMaker::Pipeline").values()]
    return {
        each["PipelineName"]: json.loads(each["PipelineDefinition"]["PipelineDefinitionBody"])
        for each in pipelines
    }
