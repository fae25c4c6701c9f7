"""The CloudFormation type of a log group."""

from typing import ClassVar

from localaws.core.account import Account
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, generated_name, ignore_missing, require_known
from localaws.services.kms.key_use import require_use_by_service


class LogGroup:
    type = "AWS::Logs::LogGroup"
    KNOWN: ClassVar[set[str]] = {"LogGroupName", "RetentionInDays", "Tags", "LogGroupClass", "KmsKeyId"}

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        name = properties.get("LogGroupName") or generated_name(logical_id, limit=512)
        tags = {"tags": _tag_map(properties)} if properties.get("Tags") else {}
        key = self._key(account, name, properties)
        client(account, "logs").create_log_group(logGroupName=name, **tags, **key)
        self._set_retention(account, name, properties, {})
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"Arn": account.arn("logs", f"log-group:{physical_id}:*")}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        logs = client(account, "logs")
        if key := self._key(account, physical_id, properties):
            logs.associate_kms_key(logGroupName=physical_id, **key)
        elif "KmsKeyId" in old:
            logs.disassociate_kms_key(logGroupName=physical_id)
        self._set_retention(account, physical_id, properties, old)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        logs = client(account, "logs")
        ignore_missing(lambda: logs.delete_log_group(logGroupName=physical_id), "ResourceNotFoundException")

    def _key(self, account: Account, name: str, properties: Properties) -> Properties:
        if "KmsKeyId" not in properties:
            return {}
        context = {"kms:encryptioncontext:aws:logs:arn": [account.arn("logs", f"log-group:{name}")]}
        service = f"logs.{account.region}.amazonaws.com"
        for action in ("kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"):
            require_use_by_service(properties["KmsKeyId"], service, action, context)
        return {"kmsKeyId": properties["KmsKeyId"]}

    def _set_retention(self, account: Account, name: str, properties: Properties, old: Properties) -> None:
        logs = client(account, "logs")
        if "RetentionInDays" in properties:
            logs.put_retention_policy(logGroupName=name, retentionInDays=properties["RetentionInDays"])
        elif "RetentionInDays" in old:
            logs.delete_retention_policy(logGroupName=name)


def _tag_map(properties: Properties) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}


RESOURCES: list[Resource] = [LogGroup()]
