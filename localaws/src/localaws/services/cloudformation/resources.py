"""The CloudFormation type that the CDK adds to every stack."""

from localaws.core.account import Account
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import generated_name


class CdkMetadata:
    """The CDK's metadata about an app; nothing is made of it, on AWS neither."""

    type = "AWS::CDK::Metadata"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        return generated_name(logical_id, limit=128)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        return


RESOURCES: list[Resource] = [CdkMetadata()]
