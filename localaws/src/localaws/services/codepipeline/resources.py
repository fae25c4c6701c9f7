"""The CloudFormation type of a pipeline."""

from typing import Any
from uuid import uuid4

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.property_case import to_api
from localaws.core.request_validation import service_model, validate_request
from localaws.core.resource import Properties, Resource
from localaws.services.codepipeline.service import CodePipeline


class PipelineResource:
    type = "AWS::CodePipeline::Pipeline"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        name = properties.get("Name") or f"{logical_id}-{uuid4().hex[:12]}"
        request = _request(name, properties)
        validate_request("codepipeline", "CreatePipeline", request)
        _service(account).create_pipeline(request)
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        version = _service(account).get_pipeline({"name": physical_id})["pipeline"]["version"]
        return {"Version": str(version)}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        service, request = _service(account), _request(physical_id, properties)
        validate_request("codepipeline", "UpdatePipeline", {"pipeline": request["pipeline"]})
        if request["pipeline"] != _request(physical_id, old)["pipeline"]:
            service.update_pipeline({"pipeline": request["pipeline"]})
        arn = account.arn("codepipeline", physical_id)
        service.untag_resource({"resourceArn": arn, "tagKeys": [tag["Key"] for tag in old.get("Tags", [])]})
        service.tag_resource({"resourceArn": arn, "tags": request["tags"]})
        if properties.get("RestartExecutionOnUpdate"):
            service.start_pipeline_execution({"name": physical_id})
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        _service(account).delete_pipeline({"name": physical_id})


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


def _service(account: Account) -> CodePipeline:
    service = account.services["codepipeline"]
    assert isinstance(service, CodePipeline)
    return service


RESOURCES: list[Resource] = [PipelineResource()]
