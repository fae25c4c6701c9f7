"""CloudFormation types that are only recorded: nothing of ours runs in them, and nobody asks their service.

The registry's schema says which properties they have and what a change means; here is what Ref and Fn::GetAtt
give. In the templates, {Property} is a property, {name} a name made of the stack's and the logical id, {hex} a new
identifier; in attributes {ref} is the physical id, {name} what follows its last slash, {resource} what follows
its last colon, and {hex} an identifier that follows from it.
"""

import hashlib
from dataclasses import dataclass, field
from uuid import uuid4

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.identity import ACCOUNT_ID
from localaws.core.resource import Properties
from localaws.core.resource_helpers import generated_name

HEX_DIGITS = 17


@dataclass(kw_only=True)
class PassiveType:
    type: str
    ref: str
    attribute_values: dict[str, str] = field(default_factory=dict)
    name: str = ""  # the property that gives {name}
    name_limit: int = 255
    _living: set[tuple[int, str]] = field(default_factory=set)

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        name = properties.get(self.name) or generated_name(logical_id, limit=self.name_limit, lower=True)
        values = {**properties, "name": name, "hex": uuid4().hex[:HEX_DIGITS], **_place(account)}
        physical_id = self.ref.format_map(values)
        if (id(account), physical_id) in self._living:
            raise validation_error(f"{physical_id} already exists")
        self._living.add((id(account), physical_id))
        return physical_id

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        values = {
            "ref": physical_id,
            "name": physical_id.rpartition("/")[2],
            "resource": physical_id.rpartition(":")[2],
            "hex": hashlib.sha256(physical_id.encode()).hexdigest()[:HEX_DIGITS],
            **_place(account),
        }
        return {key: text.format_map(values) for key, text in self.attribute_values.items()}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        self._living.discard((id(account), physical_id))


def _place(account: Account) -> dict[str, str]:
    return {"region": account.region, "account": ACCOUNT_ID}
