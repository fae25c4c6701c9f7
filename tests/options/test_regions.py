"""Which regions are refused, and that the table is CloudFormation's."""

from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk import App
from cfnlint.helpers import REGIONS as ALL_REGIONS
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from ml_code.pipeline.definition import scikit_learn_image_uri
from ml_code.spec import load_spec
from stacks.model_factory_stack import ModelFactoryStack
from stacks.regions import LACKING, REGIONS, check_region
from tests.options.proof import Proof
from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import EXAMPLE_MODEL, Synthesise, configured


def _has_image(region: str) -> bool:
    try:
        scikit_learn_image_uri(region)
    except ValueError:
        return False
    return True


def test_the_regions_are_those_of_the_image() -> None:
    assert {region for region in ALL_REGIONS if "-iso" not in region and _has_image(region)} == REGIONS


def test_what_a_region_lacks_of_a_template_is_what_cloudformation_lacks(proof: Proof) -> None:
    types = {found["Type"] for found in proof.factory.resources.values() if found["Type"].startswith("AWS::")}
    registry = {region: set(PROVIDER_SCHEMA_MANAGER.get_resource_types(region)) for region in REGIONS}
    assert len(types) > 10
    for type_ in types:
        lacking = {region for region in REGIONS if type_ not in registry[region]}
        assert lacking == LACKING.get(type_, frozenset()), type_


def test_no_row_is_of_a_type_that_no_configuration_has(synthesise: Synthesise) -> None:
    found = {
        each["Type"]
        for settings in CONFIGURATIONS.values()
        for each in synthesise(settings).resources.values()
    }
    assert LACKING.keys() <= found


GITHUB = {"source.type": "github", "source.repository": "acme/digits"}
FARGATE = {"mlflow.type": "fargate", "network.type": "own"}
CONNECTION = "arn:aws:codeconnections:eu-west-1:123456789012:connection/0a1b"


@pytest.mark.parametrize(
    ("settings", "region", "message"),
    [
        (
            {},
            "eu-south-1",
            (
                r"lacks AWS::SageMaker::MlflowApp \(here factory.mlflow.type may be tracking-server or fargate\); "
                "with these settings it may be ap-northeast-1, .*us-west-2"
            ),
        ),
        (
            {"mlflow.type": "tracking-server"},
            "ap-southeast-4",
            (
                r"lacks AWS::CodeCommit::Repository \(factory.source.type may be github, gitlab or bitbucket, and "
                r"factory.source.connection_arn may name a connection of another region\); with"
            ),
        ),
        (
            {},
            "ap-southeast-4",
            r"lacks AWS::CodeCommit::Repository \(.*\), AWS::SageMaker::MlflowApp \(.*\); with",
        ),
        (
            {**FARGATE, **GITHUB},
            "ap-east-1",
            r"lacks AWS::CodeConnections::Connection \(factory.source.connection_arn",
        ),
        ({**FARGATE, **GITHUB}, "cn-north-1", r"Connection \(this partition has no connections\)"),
        (
            {"monitoring.monthly_budget_usd": 10},
            "eu-north-1",
            r"Budget \(leave out factory.monitoring.monthly_budget_usd\)",
        ),
        (
            {**FARGATE, **GITHUB, "source.connection_arn": CONNECTION},
            "ca-west-1",
            r"Project \(no setting goes",
        ),
        ({}, "us-gov-west-1", "here factory.mlflow.type may be fargate"),
        ({"mlflow.type": "tracking-server"}, "cn-north-1", "here factory.mlflow.type may be fargate"),
        ({}, "us-iso-east-1", "AWS::CodeCommit::Repository"),
        ({}, "eusc-de-east-1", "allowed is one with SageMaker's scikit-learn 1.9-0 image"),
        (FARGATE, "mars-north-1", "allowed is one with SageMaker's scikit-learn"),
    ],
)
def test_a_region_is_refused_before_anything_is_made(
    settings: dict[str, str], region: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        stack_in(region, settings)
    assert str(refusal.value).startswith(f"The region is {region!r}, ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "region"),
    [
        (FARGATE, "eu-south-1"),
        ({**GITHUB, "source.connection_arn": CONNECTION, "mlflow.type": "tracking-server"}, "il-central-1"),
    ],
)
def test_a_remedy_that_the_refusal_names_is_taken(settings: dict[str, str], region: str) -> None:
    assert stack_in(region, settings).region == region


def stack_in(region: str, settings: Mapping[str, Any]) -> ModelFactoryStack:
    return ModelFactoryStack(
        App(analytics_reporting=False),
        config=configured(settings),
        specs=[load_spec(EXAMPLE_MODEL)],
        project_files={},
        account=None,
        region=region,
    )


def test_a_type_that_every_region_has_is_refused_nowhere() -> None:
    check_region("mx-central-1", {"AWS::S3::Bucket"})
