"""The CloudFormation type of a repository."""

import tempfile
from pathlib import Path
from typing import Any

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client
from localaws.services.codecommit.service import CodeCommit


class RepositoryResource:
    type = "AWS::CodeCommit::Repository"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        for unsupported in ("Triggers", "KmsKeyId"):
            if properties.get(unsupported):
                raise ValueError(f"The local AWS does not support {unsupported} of {self.type}.")
        codecommit, name = client(account, "codecommit"), properties["RepositoryName"]
        made = codecommit.create_repository(
            repositoryName=name,
            repositoryDescription=properties.get("RepositoryDescription", ""),
            tags=_tags(properties),
        )
        try:
            if "Code" in properties:
                _seed(account, name, properties["Code"])
        except Exception:
            _service(account).delete_repository({"repositoryName": name})
            raise
        return str(made["repositoryMetadata"]["repositoryId"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        metadata = _find(account, physical_id)
        assert metadata is not None, f"no repository {physical_id}"
        return {
            "Arn": metadata["Arn"],
            "Name": metadata["repositoryName"],
            "CloneUrlHttp": metadata["cloneUrlHttp"],
            "CloneUrlSsh": metadata["cloneUrlHttp"].replace("http://", "ssh://"),
        }

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        """The seed (Code) counts at creation only, as on AWS."""
        if properties["RepositoryName"] != old["RepositoryName"]:
            raise ValueError(
                "The local AWS cannot rename a repository: destroy the stack and deploy it again."
            )
        codecommit, name = client(account, "codecommit"), properties["RepositoryName"]
        description = properties.get("RepositoryDescription", "")
        if description != old.get("RepositoryDescription", ""):
            codecommit.update_repository_description(repositoryName=name, repositoryDescription=description)
        if _tags(properties) != _tags(old):
            arn = self.attributes(account, physical_id)["Arn"]
            codecommit.untag_resource(resourceArn=arn, tagKeys=list(_tags(old)))
            codecommit.tag_resource(resourceArn=arn, tags=_tags(properties))
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        metadata = _find(account, physical_id)
        if metadata is not None:
            client(account, "codecommit").delete_repository(repositoryName=metadata["repositoryName"])


def _service(account: Account) -> CodeCommit:
    service = account.services["codecommit"]
    assert isinstance(service, CodeCommit)
    return service


def _find(account: Account, repository_id: str) -> Json | None:
    service = _service(account)
    names = [repository["repositoryName"] for repository in service.list_repositories({})["repositories"]]
    found = service.batch_get_repositories({"repositoryNames": names})["repositories"]
    return next((metadata for metadata in found if metadata["repositoryId"] == repository_id), None)


def _seed(account: Account, name: str, code: dict[str, Any]) -> None:
    location = code["S3"]
    version = {"VersionId": location["ObjectVersion"]} if location.get("ObjectVersion") else {}
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "seed.zip")
        response = client(account, "s3").get_object(Bucket=location["Bucket"], Key=location["Key"], **version)
        archive.write_bytes(response["Body"].read())
        _service(account).seed(name, archive, code.get("BranchName", "main"))


def _tags(properties: Properties) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}


RESOURCES: list[Resource] = [RepositoryResource()]
