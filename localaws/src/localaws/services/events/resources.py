"""The CloudFormation type of a rule."""

from functools import lru_cache
from typing import Any, ClassVar

import botocore.session

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.property_case import to_api
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, generated_name, ignore_missing, policy_text, require_known


class Rule:
    type = "AWS::Events::Rule"
    KNOWN: ClassVar[set[str]] = {
        *("Name", "Description", "EventPattern", "ScheduleExpression", "State", "Targets", "Tags", "RoleArn"),
        "EventBusName",
    }

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        name = properties.get("Name") or generated_name(logical_id, limit=64)
        self._put(account, name, properties, [])
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"Arn": client(account, "events").describe_rule(Name=physical_id)["Arn"]}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        self._put(account, physical_id, properties, [target["Id"] for target in old.get("Targets", [])])
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        events = client(account, "events")
        ids = [target["Id"] for target in properties.get("Targets", [])]
        if ids:
            ignore_missing(
                lambda: events.remove_targets(Rule=physical_id, Ids=ids), "ResourceNotFoundException"
            )
        ignore_missing(lambda: events.delete_rule(Name=physical_id), "ResourceNotFoundException")

    def _put(self, account: Account, name: str, properties: Properties, old_targets: list[str]) -> None:
        events = client(account, "events")
        keys = ("Description", "ScheduleExpression", "State", "Tags", "RoleArn", "EventBusName")
        request = {key: properties[key] for key in keys if key in properties}
        if "EventPattern" in properties:
            request["EventPattern"] = policy_text(properties["EventPattern"])
        events.put_rule(Name=name, **request)
        targets = properties.get("Targets", [])
        gone = [identifier for identifier in old_targets if identifier not in {t["Id"] for t in targets}]
        if gone:
            events.remove_targets(Rule=name, Ids=gone)
        if targets:
            answer = events.put_targets(
                Rule=name, Targets=_as_request("events", "PutTargets", "Targets", targets)
            )
            if answer.get("FailedEntryCount"):
                raise validation_error(f"Targets were refused: {answer['FailedEntries']}")


@lru_cache
def _input_member(service: str, operation: str, member: str) -> Any:
    model = botocore.session.get_session().get_service_model(service)
    shape: Any = model.operation_model(operation).input_shape
    return shape.members[member]


def _as_request(service: str, operation: str, member: str, value: Any) -> Any:
    return to_api(value, _input_member(service, operation, member), f"{operation}.{member}")


RESOURCES: list[Resource] = [Rule()]
