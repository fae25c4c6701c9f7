"""The CloudFormation types of KMS."""

from typing import ClassVar

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, ignore_missing, policy_text, require_known


class Key:
    type = "AWS::KMS::Key"
    KNOWN: ClassVar[set[str]] = {
        *("KeyPolicy", "Description", "Enabled", "EnableKeyRotation", "PendingWindowInDays", "Tags"),
    }

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        kms = client(account, "kms")
        tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", [])]
        key = kms.create_key(
            Policy=policy_text(properties["KeyPolicy"]),
            Description=properties.get("Description", ""),
            Tags=tags,
        )["KeyMetadata"]
        self._set_rotation(account, key["KeyId"], properties, {})
        return str(key["KeyId"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"Arn": account.arn("kms", f"key/{physical_id}"), "KeyId": physical_id}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        kms = client(account, "kms")
        kms.put_key_policy(
            KeyId=physical_id, PolicyName="default", Policy=policy_text(properties["KeyPolicy"])
        )
        kms.update_key_description(KeyId=physical_id, Description=properties.get("Description", ""))
        self._set_rotation(account, physical_id, properties, old)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        days = properties.get("PendingWindowInDays", 30)
        kms = client(account, "kms")
        ignore_missing(
            lambda: kms.schedule_key_deletion(KeyId=physical_id, PendingWindowInDays=days),
            "NotFoundException",
        )

    def _set_rotation(self, account: Account, key_id: str, properties: Properties, old: Properties) -> None:
        kms = client(account, "kms")
        if not properties.get("Enabled", True):
            raise validation_error(f"The local AWS does not support a disabled {self.type}.")
        if properties.get("EnableKeyRotation"):
            kms.enable_key_rotation(KeyId=key_id)
        elif old.get("EnableKeyRotation"):
            kms.disable_key_rotation(KeyId=key_id)


class Alias:
    type = "AWS::KMS::Alias"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, {"AliasName", "TargetKeyId"})
        client(account, "kms").create_alias(
            AliasName=properties["AliasName"], TargetKeyId=_key_id(properties["TargetKeyId"])
        )
        return str(properties["AliasName"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        client(account, "kms").update_alias(
            AliasName=physical_id, TargetKeyId=_key_id(properties["TargetKeyId"])
        )
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        kms = client(account, "kms")
        ignore_missing(lambda: kms.delete_alias(AliasName=physical_id), "NotFoundException")


RESOURCES: list[Resource] = [Key(), Alias()]


def _key_id(id_or_arn: str) -> str:
    return id_or_arn.rpartition("/")[2]
