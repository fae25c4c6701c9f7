"""The CloudFormation type of a budget."""

from typing import Any, ClassVar

from localaws.core.account import Account
from localaws.core.identity import ACCOUNT_ID
from localaws.core.property_case import to_api
from localaws.core.request_validation import service_model
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, generated_name, ignore_missing, require_known


class Budget:
    type = "AWS::Budgets::Budget"
    KNOWN: ClassVar[set[str]] = {"Budget", "NotificationsWithSubscribers", "ResourceTags"}

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        name = properties["Budget"].get("BudgetName") or generated_name(logical_id, limit=100)
        self._budgets(account).create_budget(
            AccountId=ACCOUNT_ID,
            Budget={**self._request("Budget", properties["Budget"]), "BudgetName": name},
            NotificationsWithSubscribers=self._request(
                "NotificationsWithSubscribers", properties.get("NotificationsWithSubscribers", [])
            ),
            ResourceTags=properties.get("ResourceTags", []),
        )
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        self.delete(account, physical_id, old)
        return self.create(account, physical_id, properties)

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        ignore_missing(
            lambda: self._budgets(account).delete_budget(AccountId=ACCOUNT_ID, BudgetName=physical_id),
            "NotFoundException",
        )

    def _budgets(self, account: Account) -> Any:
        return client(account, "budgets")

    def _request(self, member: str, value: Any) -> Any:
        shape = service_model("budgets").operation_model("CreateBudget").input_shape
        assert shape is not None
        return to_api(value, shape.members[member], f"{self.type}.{member}")


RESOURCES: list[Resource] = [Budget()]
