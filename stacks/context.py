from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms

from ml_code.spec import ModelSpec
from stacks.names import FactoryNames, ModelNames
from stacks.network import Network
from stacks.settings.factory import FactoryConfig


@dataclass(frozen=True, kw_only=True)
class Context:
    """The common arguments of all constructs of one factory."""

    config: FactoryConfig
    key: kms.Key | None
    network: Network | None

    @property
    def removal_policy(self) -> RemovalPolicy:
        return removal_policy(self.config)


@dataclass(frozen=True, kw_only=True)
class FactoryContext(Context):
    """Arguments of the constructs that all models share."""

    names: FactoryNames


@dataclass(frozen=True, kw_only=True)
class ModelContext(Context):
    """Arguments of one model's constructs. The model's settings override the factory's."""

    names: ModelNames
    spec: ModelSpec

    @property
    def model_name(self) -> str:
        return self.spec.name


def removal_policy(config: FactoryConfig) -> RemovalPolicy:
    """The removal policy of resources that hold data."""
    return RemovalPolicy.RETAIN if config.keeps_data_on_destroy else RemovalPolicy.DESTROY
