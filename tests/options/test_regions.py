"""Which regions are refused, and that the list is CloudFormation's."""

import pytest
from aws_cdk import App
from cfnlint.helpers import REGIONS
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from ml_code.spec import load_spec
from stacks.config import FactoryConfig
from stacks.model_factory_stack import ModelFactoryStack
from stacks.regions import MLFLOW_REGIONS, check_region
from tests.stacks.synthesis import EXAMPLE_MODEL

TYPES = {"app": "AWS::SageMaker::MlflowApp", "tracking-server": "AWS::SageMaker::MlflowTrackingServer"}


@pytest.mark.parametrize("mlflow", MLFLOW_REGIONS)
def test_the_listed_regions_are_those_of_cloudformation(mlflow: str) -> None:
    # Isolated regions are left out: nothing else of the factory is known of them.
    regions = {region for region in REGIONS if "-iso" not in region}
    known = {each for each in regions if TYPES[mlflow] in PROVIDER_SCHEMA_MANAGER.get_resource_types(each)}
    assert known == MLFLOW_REGIONS[mlflow]


@pytest.mark.parametrize(
    ("settings", "region", "message"),
    [
        ({}, "eu-south-1", "factory.mlflow=app is one of .*; in this region .* tracking-server or fargate"),
        (
            {},
            "us-gov-west-1",
            "factory.mlflow=app is one of .*; in this region factory.mlflow may be fargate",
        ),
        ({"mlflow": "tracking-server"}, "cn-north-1", "factory.mlflow=tracking-server is one of"),
        ({}, "eusc-de-east-1", "allowed is one with SageMaker's scikit-learn 1.9-0 image"),
        (
            {"mlflow": "fargate", "network": "own"},
            "mars-north-1",
            "allowed is one with SageMaker's scikit-learn",
        ),
    ],
)
def test_a_region_is_refused_before_anything_is_made(
    settings: dict[str, str], region: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        ModelFactoryStack(
            App(analytics_reporting=False),
            config=FactoryConfig(**settings),  # type: ignore[arg-type]
            spec=load_spec(EXAMPLE_MODEL),
            project_files={},
            account=None,
            region=region,
        )
    assert str(refusal.value).startswith(f"The region is {region!r}, allowed ")
    assert "\n" not in str(refusal.value)


def test_fargate_asks_for_no_mlflow_of_sagemaker_s() -> None:
    check_region(FactoryConfig(mlflow="fargate", network="own"), "eu-south-1")
