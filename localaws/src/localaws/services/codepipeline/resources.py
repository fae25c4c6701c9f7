"""The CloudFormation type of a pipeline."""

from typing import Any
from uuid import uuid4

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.property_case import to_api
from localaws.core.request_validation import service_model
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client


class PipelineResource:
    type = "AWS::CodePipeline::Pipeline"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        name = properties.get("Name") or f"{logical_id}-{uuid4().hex[:12]}"
        request = _request(name, properties)
        client(account, "codepipeline").create_pipeline(**request)
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        version = client(account, "codepipeline").get_pipeline(name=physical_id)["pipeline"]["version"]
        return {"Version": str(version)}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        codepipeline, request = client(account, "codepipeline"), _request(physical_id, properties)
        if request["pipeline"] != _request(physical_id, old)["pipeline"]:
            codepipeline.update_pipeline(pipeline=request["pipeline"])
        if properties.get("Tags") != old.get("Tags"):
            arn = account.arn("codepipeline", physical_id)
            keys = [tag["Key"] for tag in old.get("Tags", [])]
            codepipeline.untag_resource(resourceArn=arn, tagKeys=keys)
            codepipeline.tag_resource(resourceArn=arn, tags=request["tags"])
        if properties.get("RestartExecutionOnUpdate"):
            codepipeline.start_pipeline_execution(name=physical_id)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        client(account, "codepipeline").delete_pipeline(name=physical_id)


def _request(name: str, properties: Properties) -> Json:
    known = {
        key: value for key, value in properties.items() if key not in ("RestartExecutionOnUpdate", "Tags")
    }
    if known.pop("DisableInboundStageTransitions", None):
        raise ValueError(
            f"The local AWS does not support DisableInboundStageTransitions of {PipelineResource.type}."
        )
    pipeline: Any = to_api(
        {**known, "Name": name},
        service_model("codepipeline").shape_for("PipelineDeclaration"),
        PipelineResource.type,
    )
    tags = [{"key": tag["Key"], "value": str(tag["Value"])} for tag in properties.get("Tags", [])]
    return {"pipeline": pipeline, "tags": tags}


RESOURCES: list[Resource] = [PipelineResource()]
