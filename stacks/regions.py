"""Where SageMaker has MLflow. Elsewhere a deployment would fail after minutes, with half of the stack made.

From CloudFormation's registry of types by region, as cfn-lint 1.58.0 has it (November 2026); a test compares both.
"""

from collections.abc import Mapping

from stacks.config import FactoryConfig

_APP = frozenset(
    {
        *(
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-south-1",
            "ap-southeast-1",
            "ap-southeast-2",
            "ca-central-1",
        ),
        *(
            "eu-central-1",
            "eu-north-1",
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "eusc-de-east-1",
            "me-south-1",
        ),
        *("sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    }
)
_TRACKING_SERVER = _APP | {
    *("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-3", "ap-south-2", "ap-southeast-3"),
    *("ap-southeast-4", "ap-southeast-5", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1"),
    *("eu-south-2", "il-central-1", "me-central-1", "mx-central-1"),
}
MLFLOW_REGIONS: Mapping[str, frozenset[str]] = {"app": _APP, "tracking-server": _TRACKING_SERVER}


def check_region(config: FactoryConfig, region: str) -> None:
    """ValueError, in one sentence, for a region without the MLflow of the settings."""
    regions = MLFLOW_REGIONS.get(config.mlflow)
    if regions is None or region in regions:
        return
    others = [name for name, found in MLFLOW_REGIONS.items() if region in found] + ["fargate"]
    raise ValueError(
        f"The region is {region!r}, allowed with factory.mlflow={config.mlflow} is one of "
        f"{', '.join(sorted(regions))}; in this region factory.mlflow may be {' or '.join(others)}."
    )
