"""CodeConnections: connections to GitHub, GitLab and Bitbucket.

On AWS a person completes a connection in the console. Here `python -m localaws connect` does, and says which folder
of git repositories stands for the provider.
"""

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from moto.utilities.tagging_service import TaggingService

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.core.service import Service


class CodeConnections(Service):
    name = "codeconnections"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._connections: dict[str, Json] = {}
        self._tags = TaggingService()
        self._folders: dict[str, Path] = {}

    def create_connection(self, request: Json) -> Json:
        name = request["ConnectionName"]
        if any(connection["ConnectionName"] == name for connection in self._connections.values()):
            raise ServiceError("InvalidInputException", f"A connection with the name {name} already exists")
        if "ProviderType" not in request:
            raise ServiceError(
                "InvalidInputException", "The local AWS supports connections by ProviderType only"
            )
        arn = self.account.arn("codeconnections", f"connection/{uuid4()}")
        self._connections[arn] = {
            "ConnectionArn": arn,
            "ConnectionName": name,
            "ProviderType": request["ProviderType"],
            "OwnerAccountId": ACCOUNT_ID,
            "ConnectionStatus": "PENDING",
        }
        self._tags.tag_resource(arn, request.get("Tags", []))
        return {"ConnectionArn": arn, **self._tags.list_tags_for_resource(arn)}

    def get_connection(self, request: Json) -> Json:
        return {"Connection": self._connection(request["ConnectionArn"])}

    def list_connections(self, _request: Json) -> Json:
        return {"Connections": list(self._connections.values())}

    def delete_connection(self, request: Json) -> Json:
        self._connection(request["ConnectionArn"])
        del self._connections[request["ConnectionArn"]]
        self._tags.delete_all_tags_for_resource(request["ConnectionArn"])
        self._folders.pop(request["ConnectionArn"], None)
        return {}

    def list_tags_for_resource(self, request: Json) -> Json:
        self._connection(request["ResourceArn"])
        return self._tags.list_tags_for_resource(request["ResourceArn"])

    def tag_resource(self, request: Json) -> Json:
        self._connection(request["ResourceArn"])
        self._tags.tag_resource(request["ResourceArn"], request["Tags"])
        return {}

    def untag_resource(self, request: Json) -> Json:
        self._connection(request["ResourceArn"])
        self._tags.untag_resource_using_names(request["ResourceArn"], request["TagKeys"])
        return {}

    def complete(self, name: str, folder: Path) -> str:
        """Complete the connection of a name, as a person does in the console; return its ARN."""
        named = [each for each in self._connections.values() if each["ConnectionName"] == name]
        if not named:
            known = ", ".join(sorted(each["ConnectionName"] for each in self._connections.values())) or "none"
            raise ServiceError(
                "ResourceNotFoundException", f"There is no connection {name}; there is {known}."
            )
        named[0]["ConnectionStatus"] = "AVAILABLE"
        arn = str(named[0]["ConnectionArn"])
        self._folders[arn] = folder
        return arn

    def find_repository(self, configuration: Mapping[str, str]) -> Path | None:
        """The git directory that a source action means; None while it cannot be reached."""
        folder = self._folders.get(configuration["ConnectionArn"])
        if folder is None:
            return None
        path = folder / configuration["FullRepositoryId"]
        candidates = (path / ".git", path, path.with_name(f"{path.name}.git"))
        return next((found for found in candidates if (found / "HEAD").is_file()), None)

    def _connection(self, arn: str) -> Json:
        if arn not in self._connections:
            raise ServiceError("ResourceNotFoundException", f"Connection {arn} does not exist")
        return self._connections[arn]
