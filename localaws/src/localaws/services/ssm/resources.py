"""The CloudFormation type of a parameter."""

from localaws.core.account import Account
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, generated_name, ignore_missing, require_known


class Parameter:
    type = "AWS::SSM::Parameter"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, {"Name", "Type", "Value", "Description", "Tags", "Tier"})
        name = properties.get("Name") or generated_name(logical_id, limit=100)
        self._put(account, name, properties, overwrite=False)
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        parameter = client(account, "ssm").get_parameter(Name=physical_id)["Parameter"]
        return {"Type": parameter["Type"], "Value": parameter["Value"]}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        self._put(account, physical_id, properties, overwrite=True)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        ssm = client(account, "ssm")
        ignore_missing(lambda: ssm.delete_parameter(Name=physical_id), "ParameterNotFound")

    def _put(self, account: Account, name: str, properties: Properties, *, overwrite: bool) -> None:
        optional = {key: properties[key] for key in ("Description", "Tier") if key in properties}
        client(account, "ssm").put_parameter(
            Name=name,
            Type=properties["Type"],
            Value=str(properties["Value"]),
            Overwrite=overwrite,
            **optional,
        )


RESOURCES: list[Resource] = [Parameter()]
