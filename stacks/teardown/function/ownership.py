from typing import TYPE_CHECKING, Any

from ml_code.contracts import Tag, TeardownProperty
from stacks.teardown.function.calls import pages

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient


def is_own(sagemaker: "SageMakerClient", names: dict[str, Any], arn: str) -> bool:
    """Whether the resource has the factory's tag: another factory's names may begin with this one's."""
    tags = pages(sagemaker, "list_tags", "Tags", ResourceArn=arn)
    return {"Key": Tag.FACTORY, "Value": names[TeardownProperty.FACTORY_NAME]} in tags
