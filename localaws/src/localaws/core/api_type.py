"""CloudFormation types in which nothing of ours runs: one call of the service's API makes them, one deletes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.property_case import to_api
from localaws.core.resource import Properties
from localaws.core.resource_helpers import client, require_known


@dataclass(kw_only=True)
class ApiType:
    """`create` and `attributes` get the service's client; botocore checks names and types of what they pass on."""

    type: str
    service: str
    known: set[str]
    create_: Callable[[Any, Properties], str]  # the physical id
    delete_: Callable[[Any, str, Properties], object]
    attributes_: Callable[[Any, str], dict[str, str]] = lambda _client, _id: {}
    missing: tuple[str, ...] = ()  # error codes of what is gone already

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.known)
        return self.create_(client(account, self.service), {"LogicalId": logical_id, **properties})

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return self.attributes_(client(account, self.service), physical_id)

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        changed = {key for key in properties.keys() | old.keys() if properties.get(key) != old.get(key)}
        raise validation_error(
            f"The local AWS does not support changing {', '.join(sorted(changed))} of {self.type}."
        )

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        try:
            self.delete_(client(account, self.service), physical_id, properties)
        except ClientError as error:
            if error.response["Error"]["Code"] not in self.missing:
                raise


def api_request(service: str, operation: str, properties: Properties, *left_out: str) -> Any:
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    given = {key: value for key, value in properties.items() if key not in ("LogicalId", *left_out)}
    return to_api(given, model.input_shape, operation)
