"""The CloudFormation type of a connection."""

from localaws.core.account import Account
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, ignore_missing, require_known


class ConnectionResource:
    type = "AWS::CodeConnections::Connection"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, {"ConnectionName", "ProviderType", "Tags"})
        return str(client(account, "codeconnections").create_connection(**properties)["ConnectionArn"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        connection = client(account, "codeconnections").get_connection(ConnectionArn=physical_id)[
            "Connection"
        ]
        return {name: connection[name] for name in ("ConnectionArn", "ConnectionStatus", "OwnerAccountId")}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        connections = client(account, "codeconnections")
        keys = [tag["Key"] for tag in old.get("Tags", [])]
        connections.untag_resource(ResourceArn=physical_id, TagKeys=keys)
        connections.tag_resource(ResourceArn=physical_id, Tags=properties.get("Tags", []))
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        connections = client(account, "codeconnections")
        ignore_missing(
            lambda: connections.delete_connection(ConnectionArn=physical_id), "ResourceNotFoundException"
        )


RESOURCES: list[Resource] = [ConnectionResource()]
