"""CloudFormation types that watch and tell: alarms, dashboards, topics, budgets. All live in moto."""

import json

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.property_case import to_api
from localaws.core.request_validation import service_model
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, generated_name, ignore_missing, require_known


class Alarm:
    type = "AWS::CloudWatch::Alarm"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        name = properties.get("AlarmName") or generated_name(logical_id, limit=255)
        cloudwatch = client(account, "cloudwatch")
        if cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            raise validation_error(f"{name} already exists")
        self._put(account, name, properties)
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"Arn": account.arn("cloudwatch", f"alarm:{physical_id}")}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        self._put(account, physical_id, properties)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        client(account, "cloudwatch").delete_alarms(AlarmNames=[physical_id])

    def _put(self, account: Account, name: str, properties: Properties) -> None:
        shape = service_model("cloudwatch").operation_model("PutMetricAlarm").input_shape
        assert shape is not None
        request = to_api(properties, shape, self.type)
        client(account, "cloudwatch").put_metric_alarm(**{**request, "AlarmName": name})


class Dashboard:
    type = "AWS::CloudWatch::Dashboard"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        name = properties.get("DashboardName") or generated_name(logical_id, limit=255)
        self._put(account, name, properties)
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        self._put(account, physical_id, properties)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        cloudwatch = client(account, "cloudwatch")
        ignore_missing(lambda: cloudwatch.delete_dashboards(DashboardNames=[physical_id]), "ResourceNotFound")

    def _put(self, account: Account, name: str, properties: Properties) -> None:
        require_known(self.type, properties, {"DashboardName", "DashboardBody", "Tags"})
        body = properties["DashboardBody"]
        try:
            found = json.loads(body)
        except json.JSONDecodeError as error:
            raise validation_error(f"The dashboard body is invalid: it is no JSON ({error})") from None
        if not isinstance(found, dict) or not isinstance(found.get("widgets"), list):
            raise validation_error("The dashboard body is invalid: it has no list of widgets")
        client(account, "cloudwatch").put_dashboard(
            DashboardName=name, DashboardBody=body, Tags=properties.get("Tags", [])
        )


RESOURCES: list[Resource] = [Alarm(), Dashboard()]
