"""Regions in which CloudFormation has every type of a template. Elsewhere a deployment would fail half made.

From CloudFormation's registry of types by region, as cfn-lint 1.58.0 has it (November 2026), and the regions of the
SageMaker SDK's scikit-learn image; a test compares both, for all types that any configuration has.
"""

from collections.abc import Collection, Mapping

# Isolated regions are left out: nothing else of the factory is known of them.
REGIONS = frozenset(
    {
        *("af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1"),
        *("ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4"),
        *("ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1", "eu-central-1", "eu-central-2"),
        *("eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1"),
        *("me-central-1", "me-south-1", "sa-east-1", "us-east-1", "us-east-2", "us-gov-east-1"),
        *("us-gov-west-1", "us-west-1", "us-west-2"),
    }
)
_CHINA = frozenset({"cn-north-1", "cn-northwest-1"})
_GOV_CLOUD = frozenset({"us-gov-east-1", "us-gov-west-1"})
_YOUNG = frozenset(
    {
        *("af-south-1", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ca-west-1", "eu-central-2"),
        *("eu-south-2", "il-central-1", "me-central-1"),
    }
)
_APP, _SERVER = "AWS::SageMaker::MlflowApp", "AWS::SageMaker::MlflowTrackingServer"
_REPOSITORY, _CONNECTION = "AWS::CodeCommit::Repository", "AWS::CodeConnections::Connection"
# The regions, of those above, that lack a type; a type without a row is in all of them.
LACKING: Mapping[str, frozenset[str]] = {
    "AWS::Budgets::Budget": _YOUNG | _GOV_CLOUD | {"ap-east-1", "ap-northeast-3", "eu-north-1", "eu-south-1"},
    "AWS::CodeBuild::Project": frozenset({"ca-west-1"}),
    _REPOSITORY: _YOUNG,
    _CONNECTION: _YOUNG | _CHINA | {"ap-east-1", "ap-northeast-3"},
    _APP: _YOUNG | _CHINA | _GOV_CLOUD | {"ap-east-1", "ap-northeast-3", "eu-south-1"},
    _SERVER: _CHINA | _GOV_CLOUD,
}


def check_region(region: str, types: Collection[str]) -> None:
    """ValueError, in one sentence, for a region that lacks one of the resource types."""
    lacking = [name for name in LACKING if name in types and lacks(region, name)]
    if not lacking:
        return
    found = ", ".join(f"{name} ({_remedy(region, name)})" for name in lacking)
    allowed = sorted(each for each in REGIONS if not any(lacks(each, name) for name in types))
    raise ValueError(
        f"The region is {region!r}, which lacks {found}; with these settings it may be {', '.join(allowed)}."
    )


def lacks(region: str, type_: str) -> bool:
    """Whether the region lacks the type; a region that is not listed lacks it when any region does."""
    return type_ in LACKING and (region not in REGIONS or region in LACKING[type_])


def _remedy(region: str, type_: str) -> str:
    """The setting that makes no such resource."""
    if type_ in (_APP, _SERVER):
        flavours = {"app": _APP, "tracking-server": _SERVER}
        others = [flavour for flavour, needed in flavours.items() if not lacks(region, needed)]
        return f"here factory.mlflow.type may be {' or '.join([*others, 'fargate'])}"
    # A connection can be used in every region of its partition, and none of China's makes one.
    connection = "factory.source.connection_arn may name a connection of another region"
    if region in _CHINA:
        connection = "this partition has no connections"
    if type_ == _REPOSITORY:
        sources = "factory.source.type may be github, gitlab or bitbucket"
        return f"{sources}, and {connection}" if lacks(region, _CONNECTION) else sources
    if type_ == _CONNECTION:
        return connection
    if type_ == "AWS::Budgets::Budget":
        return "leave out factory.monitoring.monthly_budget_usd"
    return "no setting goes without it"
