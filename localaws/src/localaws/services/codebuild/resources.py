"""The CloudFormation type of a project."""

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.property_case import to_api
from localaws.core.request_validation import service_model
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client


class ProjectResource:
    type = "AWS::CodeBuild::Project"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        request = _request({"Name": logical_id, **properties})
        client(account, "codebuild").create_project(**request)
        return str(request["name"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"Arn": account.arn("codebuild", f"project/{physical_id}")}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        client(account, "codebuild").update_project(**{**_request(properties), "name": physical_id})
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        client(account, "codebuild").delete_project(name=physical_id)


def _request(properties: Properties) -> Json:
    """CreateProject's request; "Visibility" PRIVATE is CloudFormation's own word for the default."""
    known = {**properties}
    if known.pop("Visibility", "PRIVATE") != "PRIVATE":
        raise ValueError("The local AWS does not support public builds.")
    if known.pop("Triggers", None):
        raise ValueError("The local AWS does not support Triggers of AWS::CodeBuild::Project.")
    shape = service_model("codebuild").operation_model("CreateProject").input_shape
    assert shape is not None
    request: Json = to_api(known, shape, ProjectResource.type)
    return request


RESOURCES: list[Resource] = [ProjectResource()]
