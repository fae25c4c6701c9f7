from typing import Any

from ml_code.contracts import Tag, TeardownProperty
from stacks.teardown.function.calls import pages


def is_own(sagemaker: Any, names: dict[str, Any], arn: str) -> bool:
    """Whether the resource has the factory's tag: another factory's names may begin with this one's."""
    tags = pages(sagemaker, "list_tags", "Tags", ResourceArn=arn)
    return {"Key": Tag.FACTORY, "Value": names[TeardownProperty.FACTORY_NAME]} in tags
