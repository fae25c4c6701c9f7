"""The CloudFormation type of a connection."""

from localaws.core.account import Account
from localaws.core.request_validation import validate_request
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import require_known
from localaws.services.codeconnections.service import CodeConnections


class ConnectionResource:
    type = "AWS::CodeConnections::Connection"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, {"ConnectionName", "ProviderType", "Tags"})
        validate_request("codeconnections", "CreateConnection", properties)
        return str(_service(account).create_connection(properties)["ConnectionArn"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        connection = _service(account).get_connection({"ConnectionArn": physical_id})["Connection"]
        return {name: connection[name] for name in ("ConnectionArn", "ConnectionStatus", "OwnerAccountId")}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        service = _service(account)
        keys = [tag["Key"] for tag in old.get("Tags", [])]
        service.untag_resource({"ResourceArn": physical_id, "TagKeys": keys})
        service.tag_resource({"ResourceArn": physical_id, "Tags": properties.get("Tags", [])})
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        service = _service(account)
        if any(each["ConnectionArn"] == physical_id for each in service.list_connections({})["Connections"]):
            service.delete_connection({"ConnectionArn": physical_id})


def _service(account: Account) -> CodeConnections:
    service = account.services["codeconnections"]
    assert isinstance(service, CodeConnections)
    return service


RESOURCES: list[Resource] = [ConnectionResource()]
