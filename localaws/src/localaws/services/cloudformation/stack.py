"""Stacks: their resources, and the deployments that create, update, roll back and delete them."""

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from botocore.exceptions import ClientError

from localaws.core.errors import Json, ServiceError
from localaws.core.resource import RESOURCE_TYPES, Properties, Resource
from localaws.services.cloudformation.custom_resource import CustomResource, is_custom
from localaws.services.cloudformation.references import Template

KEEP = ("Retain", "RetainExceptOnCreate")
LOG = logging.getLogger("localaws.cloudformation")


@dataclass
class StackResource:
    logical_id: str
    type: str
    definition: Json  # as the template has it
    status: str = ""
    reason: str | None = None
    physical_id: str = ""
    properties: Properties = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Stack:
    id: str
    name: str
    status: str = "REVIEW_IN_PROGRESS"
    status_reason: str | None = None
    template_text: str = ""
    template: Template = field(default_factory=lambda: {"Resources": {}})
    given_parameters: dict[str, str] = field(default_factory=dict)
    parameters: Json = field(default_factory=dict)
    tags: list[Json] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)
    role_arn: str | None = None
    termination_protection: bool = False
    disable_rollback: bool = False
    outputs: list[Json] = field(default_factory=list)
    resources: dict[str, StackResource] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime | None = None
    deleted: datetime | None = None
    client_request_token: str | None = None

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def exports(self) -> dict[str, str]:
        return {out["ExportName"]: out["OutputValue"] for out in self.outputs if "ExportName" in out}

    def set_status(self, status: str, reason: str | None = None) -> None:
        self._event(self.name, self.id, "AWS::CloudFormation::Stack", status, reason, None)
        self.status, self.status_reason = status, reason

    def set_resource_status(self, resource: StackResource, status: str, reason: str | None = None) -> None:
        resource.status, resource.reason, resource.updated = status, reason, datetime.now(UTC)
        self._event(
            resource.logical_id, resource.physical_id, resource.type, status, reason, resource.properties
        )

    def _event(
        self,
        logical_id: str,
        physical_id: str,
        kind: str,
        status: str,
        reason: str | None,
        properties: Properties | None,
    ) -> None:
        event = {
            "StackId": self.id,
            "StackName": self.name,
            "EventId": str(uuid4()),
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": kind,
            "Timestamp": datetime.now(UTC),
            "ResourceStatus": status,
        }
        if reason:
            event["ResourceStatusReason"] = reason
        if properties:
            event["ResourceProperties"] = json.dumps(properties)
        if self.client_request_token:
            event["ClientRequestToken"] = self.client_request_token
        self.events.append(event)
        LOG.info("%s: %s %s %s %s", self.name, logical_id, kind, status, reason or "")


def resource_type(stack: Stack, resource: StackResource) -> Resource:
    if is_custom(resource.type):
        return CustomResource(resource.type, stack_id=stack.id, logical_id=resource.logical_id)
    return RESOURCE_TYPES[resource.type]


def reason_of(error: Exception) -> str:
    if isinstance(error, ServiceError):
        if error.code == "ValidationError":  # CloudFormation's own
            return error.message
        return f"{error.message} ({error.code})"
    if isinstance(error, ClientError):
        answer, metadata = error.response["Error"], error.response["ResponseMetadata"]
        return f"{answer['Message']} ({answer['Code']}, {error.operation_name}, status {metadata['HTTPStatusCode']})"
    return str(error) or repr(error)
