"""The CloudFormation type of a schedule."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.property_case import to_api
from localaws.core.request_validation import service_model
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, generated_name, ignore_missing, require_known
from localaws.services.events.schedules import at_time, is_due
from localaws.services.scheduler.service import check_target


class ScheduleResource:
    type = "AWS::Scheduler::Schedule"
    KNOWN: ClassVar[set[str]] = {
        *("Name", "Description", "ScheduleExpression", "State", "FlexibleTimeWindow", "Target"),
    }

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        name = properties.get("Name") or generated_name(logical_id, limit=64)
        client(account, "scheduler").create_schedule(**self._request(name, properties))
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"Arn": account.arn("scheduler", f"schedule/default/{physical_id}")}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        client(account, "scheduler").update_schedule(**self._request(physical_id, properties))
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        scheduler = client(account, "scheduler")
        ignore_missing(lambda: scheduler.delete_schedule(Name=physical_id), "ResourceNotFoundException")

    def _request(self, name: str, properties: Properties) -> Any:
        require_known(self.type, properties, self.KNOWN)
        shape = service_model("scheduler").operation_model("CreateSchedule").input_shape
        assert shape is not None
        request = to_api({**properties, "Name": name}, shape, self.type)
        if request["FlexibleTimeWindow"] != {"Mode": "OFF"}:
            raise validation_error("The local AWS supports FlexibleTimeWindow with Mode OFF only.")
        check_target(request["Target"])
        if at_time(request["ScheduleExpression"]) is None:
            now = datetime.now(UTC)
            is_due(request["ScheduleExpression"], last=now, now=now)  # refuses what it cannot read
        return request


RESOURCES: list[Resource] = [ScheduleResource()]
