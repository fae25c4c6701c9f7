"""The CloudFormation type of a repository of images."""

from typing import ClassVar

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.identity import ACCOUNT_ID
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import (
    client,
    generated_name,
    ignore_missing,
    policy_text,
    require_known,
)


class Repository:
    type = "AWS::ECR::Repository"
    KNOWN: ClassVar[set[str]] = {
        *("RepositoryName", "ImageTagMutability", "LifecyclePolicy", "RepositoryPolicyText", "Tags"),
        *("EmptyOnDelete", "ImageScanningConfiguration"),
    }

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        ecr = client(account, "ecr")
        name = properties.get("RepositoryName") or generated_name(logical_id, limit=256, lower=True)
        keys = ("ImageTagMutability", "Tags")
        request = {key[0].lower() + key[1:]: properties[key] for key in keys if key in properties}
        ecr.create_repository(repositoryName=name, **request)
        if "LifecyclePolicy" in properties:
            ecr.put_lifecycle_policy(
                repositoryName=name, lifecyclePolicyText=properties["LifecyclePolicy"]["LifecyclePolicyText"]
            )
        if "RepositoryPolicyText" in properties:
            ecr.set_repository_policy(
                repositoryName=name, policyText=policy_text(properties["RepositoryPolicyText"])
            )
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {
            "Arn": account.arn("ecr", f"repository/{physical_id}"),
            "RepositoryUri": f"{ACCOUNT_ID}.dkr.ecr.{account.region}.amazonaws.com/{physical_id}",
        }

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        raise validation_error(f"The local AWS does not support updating {self.type}.")

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        force = properties.get("EmptyOnDelete", False)
        ecr = client(account, "ecr")
        ignore_missing(
            lambda: ecr.delete_repository(repositoryName=physical_id, force=force),
            "RepositoryNotFoundException",
        )


RESOURCES: list[Resource] = [Repository()]
