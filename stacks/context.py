from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms

from stacks.names import FactoryNames
from stacks.network import Network
from stacks.settings.factory import FactoryConfig


@dataclass(frozen=True, kw_only=True)
class FactoryContext:
    """The common arguments of all constructs of one factory."""

    config: FactoryConfig
    names: FactoryNames
    model_name: str
    key: kms.Key | None
    network: Network | None

    @property
    def removal_policy(self) -> RemovalPolicy:
        return removal_policy(self.config)


def removal_policy(config: FactoryConfig) -> RemovalPolicy:
    """The removal policy of resources that hold data."""
    return RemovalPolicy.RETAIN if config.keeps_data_on_destroy else RemovalPolicy.DESTROY
