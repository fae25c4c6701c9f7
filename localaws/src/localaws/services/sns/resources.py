"""The CloudFormation types of SNS."""

import json
from typing import ClassVar

from moto.sns.models import sns_backends

from localaws.core.account import Account
from localaws.core.errors import ServiceError, validation_error
from localaws.core.identity import ACCOUNT_ID
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, generated_name, ignore_missing, require_known

ATTRIBUTES = ("DisplayName", "KmsMasterKeyId")


class Topic:
    type = "AWS::SNS::Topic"
    KNOWN: ClassVar[set[str]] = {"TopicName", "DisplayName", "KmsMasterKeyId", "Subscription", "Tags"}

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        sns = client(account, "sns")
        name = properties.get("TopicName") or generated_name(logical_id, limit=256)
        arn = account.arn("sns", name)
        if arn in sns_backends[ACCOUNT_ID][account.region].topics:
            raise validation_error(f"{name} already exists")
        sns.create_topic(Name=name, Attributes=_attributes(properties), Tags=properties.get("Tags", []))
        for subscription in properties.get("Subscription", []):
            sns.subscribe(TopicArn=arn, **subscription)
        return arn

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"TopicArn": physical_id, "TopicName": physical_id.rpartition(":")[2]}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        if properties.get("Subscription") != old.get("Subscription"):
            raise validation_error(f"The local AWS does not support updating Subscription of {self.type}.")
        sns = client(account, "sns")
        given = _attributes(properties)
        for key in ATTRIBUTES:
            sns.set_topic_attributes(
                TopicArn=physical_id, AttributeName=key, AttributeValue=given.get(key, "")
            )
        if properties.get("Tags") != old.get("Tags"):
            sns.untag_resource(ResourceArn=physical_id, TagKeys=[tag["Key"] for tag in old.get("Tags", [])])
            sns.tag_resource(ResourceArn=physical_id, Tags=properties.get("Tags", []))
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        sns = client(account, "sns")
        ignore_missing(lambda: sns.delete_topic(TopicArn=physical_id), "NotFound")


def _attributes(properties: Properties) -> dict[str, str]:
    if len(str(properties.get("DisplayName", ""))) > 100:
        raise ServiceError("InvalidParameter", "Invalid parameter: Attributes Reason: DisplayName")
    return {key: str(properties[key]) for key in ATTRIBUTES if key in properties}


class TopicPolicy:
    type = "AWS::SNS::TopicPolicy"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, {"PolicyDocument", "Topics"})
        for arn in properties["Topics"]:
            client(account, "sns").set_topic_attributes(
                TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(properties["PolicyDocument"])
            )
        return generated_name(logical_id, limit=128)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"Id": physical_id}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        self.create(account, physical_id, properties)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        """A topic without the policy gets SNS's default one back, which lets its owner publish."""
        for arn in properties["Topics"]:
            default = {
                "Version": "2008-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": "*"},
                        "Action": "SNS:Publish",
                        "Resource": arn,
                        "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT_ID}},
                    }
                ],
            }
            self._set(account, arn, json.dumps(default))

    def _set(self, account: Account, arn: str, policy: str) -> None:
        sns = client(account, "sns")
        ignore_missing(
            lambda: sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy),
            "NotFound",
        )


class Subscription:
    type = "AWS::SNS::Subscription"
    KNOWN: ClassVar[set[str]] = {"TopicArn", "Protocol", "Endpoint", "RawMessageDelivery"}

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        attributes = {
            key: str(properties[key]).lower() for key in ("RawMessageDelivery",) if key in properties
        }
        answer = client(account, "sns").subscribe(
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties["Endpoint"],
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
        return str(answer["SubscriptionArn"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"Arn": physical_id}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        client(account, "sns").set_subscription_attributes(
            SubscriptionArn=physical_id,
            AttributeName="RawMessageDelivery",
            AttributeValue=str(properties.get("RawMessageDelivery", False)).lower(),
        )
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        sns = client(account, "sns")
        ignore_missing(lambda: sns.unsubscribe(SubscriptionArn=physical_id), "NotFound")


RESOURCES: list[Resource] = [Topic(), TopicPolicy(), Subscription()]
