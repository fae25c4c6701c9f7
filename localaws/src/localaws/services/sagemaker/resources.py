"""The CloudFormation types of SageMaker."""

import json

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, ignore_missing

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
        request = _pipeline_request(properties)
        client(account, "sagemaker").create_pipeline(**request)
        return str(request["PipelineName"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        request = _pipeline_request(properties)
        request.pop("Tags", None)
        client(account, "sagemaker").update_pipeline(**request)
        _set_tags(account, account.arn("sagemaker", f"pipeline/{physical_id}"), properties, old)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        sagemaker = client(account, "sagemaker")
        ignore_missing(lambda: sagemaker.delete_pipeline(PipelineName=physical_id), "ResourceNotFound")


class MlflowAppResource:
    type = "AWS::SageMaker::MlflowApp"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        request = {**properties, "Tags": _tags(properties)}
        return str(client(account, "sagemaker").create_mlflow_app(**request)["Arn"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        described = client(account, "sagemaker").describe_mlflow_app(Arn=physical_id)
        return {name: described[name] for name in ("Arn", "MlflowVersion", "Status")}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        changed = {key for key in properties.keys() | old.keys() if properties.get(key) != old.get(key)}
        if changed - {"Tags"}:
            raise ServiceError(
                "ValidationException",
                f"The local AWS does not support changing {', '.join(sorted(changed))} of {self.type}.",
            )
        _set_tags(account, physical_id, properties, old)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        sagemaker = client(account, "sagemaker")
        ignore_missing(lambda: sagemaker.delete_mlflow_app(Arn=physical_id), "ResourceNotFound")


class MlflowTrackingServerResource:
    type = "AWS::SageMaker::MlflowTrackingServer"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        request = {**properties, "Tags": _tags(properties)}
        client(account, "sagemaker").create_mlflow_tracking_server(**request)
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
        _set_tags(account, arn, properties, old)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        sagemaker = client(account, "sagemaker")
        ignore_missing(
            lambda: sagemaker.delete_mlflow_tracking_server(TrackingServerName=physical_id),
            "ResourceNotFound",
        )


RESOURCES: list[Resource] = [PipelineResource(), MlflowAppResource(), MlflowTrackingServerResource()]


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


def _tags(properties: Properties) -> list[Json]:
    """A list of Key and Value, or an object: CloudFormation's types use both."""
    tags = properties.get("Tags", [])
    if isinstance(tags, dict):
        return [{"Key": key, "Value": value} for key, value in tags.items()]
    return list(tags)


def _set_tags(account: Account, arn: str, properties: Properties, old: Properties) -> None:
    wanted, gone = _tags(properties), [tag["Key"] for tag in _tags(old)]
    if wanted != _tags(old):
        sagemaker = client(account, "sagemaker")
        if gone:
            sagemaker.delete_tags(ResourceArn=arn, TagKeys=gone)
        if wanted:
            sagemaker.add_tags(ResourceArn=arn, Tags=wanted)
