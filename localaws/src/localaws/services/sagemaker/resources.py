"""The CloudFormation types of SageMaker."""

import json
import uuid
from typing import cast

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Caller
from localaws.core.resource import Properties, Resource
from localaws.services.sagemaker.service import SageMaker

CLOUDFORMATION = Caller("cloudformation.amazonaws.com", "")
PIPELINE_MEMBERS = (
    "PipelineName",
    "PipelineDisplayName",
    "PipelineDescription",
    "PipelineDefinition",
    "ParallelismConfiguration",
    "RoleArn",
    "Tags",
)


class PipelineResource:
    type = "AWS::SageMaker::Pipeline"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        request = _pipeline_request(properties) | {"ClientRequestToken": uuid.uuid4().hex}
        _sagemaker(account).call("CreatePipeline", request, CLOUDFORMATION)
        return str(request["PipelineName"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        request = _pipeline_request(properties)
        tags = request.pop("Tags", [])
        sagemaker = _sagemaker(account)
        sagemaker.call("UpdatePipeline", request, CLOUDFORMATION)
        sagemaker.shared.tags.set(account.arn("sagemaker", f"pipeline/{physical_id}"), tags)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        request = {"PipelineName": physical_id, "ClientRequestToken": uuid.uuid4().hex}
        _ignore_missing(account, "DeletePipeline", request)


class MlflowAppResource:
    type = "AWS::SageMaker::MlflowApp"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        response = _sagemaker(account).call("CreateMlflowApp", _app_request(properties), CLOUDFORMATION)
        return str(response["Arn"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        described = _sagemaker(account).call("DescribeMlflowApp", {"Arn": physical_id}, CLOUDFORMATION)
        return {name: described[name] for name in ("Arn", "MlflowVersion", "Status")}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        changed = {key for key in properties.keys() | old.keys() if properties.get(key) != old.get(key)}
        if changed - {"Tags"}:
            raise ServiceError(
                "ValidationException",
                f"The local AWS does not support changing {', '.join(sorted(changed))} of {self.type}.",
            )
        _sagemaker(account).shared.tags.set(physical_id, _tags(properties))
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        _ignore_missing(account, "DeleteMlflowApp", {"Arn": physical_id})


class MlflowTrackingServerResource:
    type = "AWS::SageMaker::MlflowTrackingServer"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        request = {**properties, "Tags": _tags(properties)}
        _sagemaker(account).call("CreateMlflowTrackingServer", request, CLOUDFORMATION)
        return str(properties["TrackingServerName"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"TrackingServerArn": account.arn("sagemaker", f"mlflow-tracking-server/{physical_id}")}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        changed = {key for key in properties.keys() | old.keys() if properties.get(key) != old.get(key)}
        if changed - {"Tags"}:
            raise ServiceError(
                "ValidationException",
                f"The local AWS does not support changing {', '.join(sorted(changed))} of {self.type}.",
            )
        arn = self.attributes(account, physical_id)["TrackingServerArn"]
        _sagemaker(account).shared.tags.set(arn, _tags(properties))
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        _ignore_missing(account, "DeleteMlflowTrackingServer", {"TrackingServerName": physical_id})


RESOURCES: list[Resource] = [PipelineResource(), MlflowAppResource(), MlflowTrackingServerResource()]


def _sagemaker(account: Account) -> SageMaker:
    return cast(SageMaker, account.services["sagemaker"])


def _pipeline_request(properties: Properties) -> Json:
    unknown = sorted(properties.keys() - set(PIPELINE_MEMBERS))
    definition = properties["PipelineDefinition"]
    unknown += sorted(definition.keys() - {"PipelineDefinitionBody"})
    if unknown:
        raise ServiceError(
            "ValidationException",
            f"The local AWS does not support {', '.join(unknown)} of {PipelineResource.type}.",
        )
    body = definition["PipelineDefinitionBody"]
    request = {key: value for key, value in properties.items() if key != "PipelineDefinition"}
    request["PipelineDefinition"] = body if isinstance(body, str) else json.dumps(body)
    return request


def _app_request(properties: Properties) -> Json:
    return {**properties, "Tags": _tags(properties)}


def _tags(properties: Properties) -> list[Json]:
    """A list of Key and Value, or an object: CloudFormation's types use both."""
    tags = properties.get("Tags", [])
    if isinstance(tags, dict):
        return [{"Key": key, "Value": value} for key, value in tags.items()]
    return list(tags)


def _ignore_missing(account: Account, operation: str, request: Json) -> None:
    try:
        _sagemaker(account).call(operation, request, CLOUDFORMATION)
    except ServiceError as error:
        if error.code != "ResourceNotFound":
            raise
