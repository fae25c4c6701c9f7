"""A SageMaker that remembers: what exists afterwards is what counts."""

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError


class SageMaker:
    """The behaviour of SageMaker's endpoints that a deployment leans on.

    An endpoint stays in its transition for two looks. `failure` is what the next transition ends in:
    a failed creation leaves a Failed endpoint, a failed update the old configuration InService.
    """

    def __init__(self) -> None:
        self.models: dict[str, Any] = {}
        self.configs: dict[str, Any] = {}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.failure: str | None = None
        self.tags: dict[str, str] = {}  # of the endpoint
        self.policies: list[Any] = []  # of the updates
        self.looks = 2  # that a transition lasts
        self.training: dict[str, Any] = {}
        self.has_tripped: Callable[[], bool] = lambda: False  # an alarm of a guarded update

    def create_model(self, **request: Any) -> None:
        self.models[request["ModelName"]] = request

    def create_endpoint_config(self, **request: Any) -> None:
        self.configs[request["EndpointConfigName"]] = request

    def create_endpoint(self, **request: Any) -> None:
        name = request["EndpointName"]
        if name in self.endpoints:
            raise error("CreateEndpoint", f"Cannot create already existing endpoint {name}")
        self._begin(name, "Creating", request["EndpointConfigName"])
        self.add_tags(f"arn:{name}", request["Tags"])

    def update_endpoint(self, **request: Any) -> None:
        name = request["EndpointName"]
        if self.endpoints[name]["EndpointStatus"] != "InService":
            raise error("UpdateEndpoint", f"Cannot update endpoint {name} in this status")
        self.policies.append(request.get("DeploymentConfig"))
        self._begin(name, "Updating", request["EndpointConfigName"])

    def _begin(self, name: str, status: str, config: str) -> None:
        before = self.endpoints.get(name, {}).get("EndpointConfigName")
        self.endpoints[name] = {
            "EndpointStatus": status,
            "EndpointArn": f"arn:{name}",
            "EndpointConfigName": before or config,
            "next": config,
            "looks": self.looks,
        }

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        endpoint: dict[str, Any] = self._find(self.endpoints, EndpointName, "endpoint")
        guarded = self.policies and "AutoRollbackConfiguration" in (self.policies[-1] or {})
        if endpoint["EndpointStatus"] == "Updating" and guarded and self.has_tripped():
            endpoint |= {"EndpointStatus": "InService", "FailureReason": "An alarm raised_alarms"}
        endpoint["looks"] = endpoint.get("looks", 0) - 1
        if endpoint["looks"] < 0 and endpoint["EndpointStatus"] in ("Creating", "Updating"):
            if self.failure is None:
                endpoint |= {"EndpointStatus": "InService", "EndpointConfigName": endpoint["next"]}
            else:
                is_new = endpoint["EndpointStatus"] == "Creating"
                endpoint |= {
                    "EndpointStatus": "Failed" if is_new else "InService",
                    "FailureReason": self.failure,
                }
        return endpoint

    def describe_endpoint_config(self, EndpointConfigName: str) -> Any:
        return self._find(self.configs, EndpointConfigName, "endpoint configuration")

    def delete_endpoint(self, EndpointName: str) -> None:
        self._find(self.endpoints, EndpointName, "endpoint")
        del self.endpoints[EndpointName]

    def delete_endpoint_config(self, EndpointConfigName: str) -> None:
        self._find(self.configs, EndpointConfigName, "endpoint configuration")
        del self.configs[EndpointConfigName]

    def delete_model(self, ModelName: str) -> None:
        self._find(self.models, ModelName, "model")
        del self.models[ModelName]

    def add_tags(self, ResourceArn: str, Tags: list[dict[str, str]]) -> None:
        self.tags = {tag["Key"]: tag["Value"] for tag in Tags}

    # What it recorded of a training: `training` is changed by tests.

    @property
    def execution_arn(self) -> str:
        return str(self.training["PipelineExecutionArn"])

    def describe_pipeline_execution(self, PipelineExecutionArn: str) -> dict[str, Any]:
        assert PipelineExecutionArn == self.execution_arn
        return self.training

    def list_pipeline_parameters_for_execution(self, PipelineExecutionArn: str) -> dict[str, Any]:
        parameters = self.training["Parameters"]
        return {"PipelineParameters": [{"Name": key, "Value": value} for key, value in parameters.items()]}

    def describe_pipeline_definition_for_execution(self, PipelineExecutionArn: str) -> dict[str, Any]:
        conditions = [{"RightValue": value} for value in self.training["Gate"]]
        return {
            "PipelineDefinition": json.dumps(
                {"Steps": [{"Name": "Gate", "Arguments": {"Conditions": conditions}}]}
            )
        }

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_pipeline_execution_steps"
        return self

    def paginate(self, PipelineExecutionArn: str) -> list[Any]:
        return [{"PipelineExecutionSteps": self.training["Steps"]}]

    def _find(self, kind: dict[str, Any], name: str, word: str) -> Any:
        if name not in kind:
            raise error("Describe", f'Could not find {word} "{name}".')
        return kind[name]

    @property
    def names(self) -> tuple[list[str], list[str], dict[str, str]]:
        """Models, configurations, and the configuration of each endpoint."""
        serving = {name: endpoint["EndpointConfigName"] for name, endpoint in self.endpoints.items()}
        return sorted(self.models), sorted(self.configs), serving


def error(operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationException", "Message": message}}, operation)
