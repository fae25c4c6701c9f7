"""CloudFormation's API: stacks, change sets, events (over 300 lines: the operations of one API).

Executions run in the background, as on AWS.
"""

import json
import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError, validation_error
from localaws.core.identity import Caller
from localaws.core.resource_helpers import acting_as, client
from localaws.core.service import Service
from localaws.services.cloudformation.deletion import delete_stack
from localaws.services.cloudformation.deployment import Deployment
from localaws.services.cloudformation.descriptions import describe, describe_resource, parameter_list
from localaws.services.cloudformation.rights import StackRights
from localaws.services.cloudformation.stack import Stack
from localaws.services.cloudformation.template import read_template
from localaws.services.iam.authorization import credentials_of

LOG = logging.getLogger("localaws.cloudformation")
NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


@dataclass
class ChangeSet:
    id: str
    name: str
    kind: str  # CREATE, UPDATE
    stack: Stack
    template_text: str
    parameters: dict[str, str]
    tags: list[Json]
    capabilities: list[str]
    role_arn: str | None
    description: str | None
    disable_rollback: bool
    changes: list[Json] = field(default_factory=list)
    status: str = "CREATE_COMPLETE"
    status_reason: str | None = None
    execution_status: str = "AVAILABLE"
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


class CloudFormation(Service):
    name: ClassVar[str] = "cloudformation"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._stacks: list[Stack] = []
        self._change_sets: list[ChangeSet] = []
        self._lock = threading.RLock()
        self._rights = StackRights(account)

    def call(self, operation: str, request: Json, caller: Caller) -> Json:
        """Read templates and parameters with the caller's rights."""
        with acting_as(credentials_of(caller.access_key_id)):
            return super().call(operation, request, caller)

    def stacks(self) -> list[Stack]:
        """The stacks that are not deleted."""
        return [stack for stack in self._stacks if stack.status != "DELETE_COMPLETE"]

    # Change sets

    def create_change_set(self, request: Json) -> Json:
        with self._lock:
            return self._create_change_set(request)

    def _create_change_set(self, request: Json) -> Json:
        kind = request.get("ChangeSetType", "UPDATE")
        if kind not in ("CREATE", "UPDATE"):
            raise validation_error(f"The local AWS does not support change sets of type {kind}")
        stack = self._stack_for_change_set(request["StackName"], kind)
        if any(known.name == request["ChangeSetName"] for known in self._of(stack)):
            raise ServiceError(
                "AlreadyExistsException", f"ChangeSet {request['ChangeSetName']} already exists"
            )
        text = self._template_text(request, stack)
        parameters = _parameters(request, stack)
        change_set = ChangeSet(
            id=self.account.arn("cloudformation", f"changeSet/{request['ChangeSetName']}/{uuid4()}"),
            name=request["ChangeSetName"],
            kind=kind,
            stack=stack,
            template_text=text,
            parameters=parameters,
            tags=request.get("Tags", []),
            capabilities=request.get("Capabilities", []),
            role_arn=request.get("RoleARN") or stack.role_arn,
            description=request.get("Description"),
            disable_rollback=bool(request.get("OnStackFailure") == "DO_NOTHING"),
        )
        deployment = self._deployment(stack, text, parameters)
        change_set.changes = deployment.changes()
        unchanged = read_template(text) == stack.template and change_set.tags == stack.tags
        if kind == "UPDATE" and not change_set.changes and unchanged:
            change_set.status, change_set.status_reason = "FAILED", NO_CHANGES
            change_set.execution_status = "UNAVAILABLE"
        if stack not in self._stacks:
            self._stacks.append(stack)
            stack.set_status("REVIEW_IN_PROGRESS", "User Initiated")
        self._change_sets.append(change_set)
        return {"Id": change_set.id, "StackId": stack.id}

    def describe_change_set(self, request: Json) -> Json:
        change_set = self._change_set(request)
        return {
            "ChangeSetName": change_set.name,
            "ChangeSetId": change_set.id,
            "StackId": change_set.stack.id,
            "StackName": change_set.stack.name,
            "Description": change_set.description,
            "Parameters": parameter_list(change_set.parameters),
            "CreationTime": change_set.created,
            "ExecutionStatus": change_set.execution_status,
            "Status": change_set.status,
            "StatusReason": change_set.status_reason,
            "Capabilities": change_set.capabilities,
            "Tags": change_set.tags,
            "Changes": change_set.changes,
        }

    def list_change_sets(self, request: Json) -> Json:
        stack = self._stack(request["StackName"])
        members = (
            "StackId",
            "StackName",
            "ChangeSetId",
            "ChangeSetName",
            "ExecutionStatus",
            "Status",
            "StatusReason",
        )
        summaries = []
        for change_set in self._of(stack):
            described = self.describe_change_set({"ChangeSetName": change_set.id})
            summaries.append({member: described[member] for member in members})
        return {"Summaries": summaries}

    def delete_change_set(self, request: Json) -> Json:
        """Deleting what does not exist succeeds, as on AWS: the CDK relies on it."""
        try:
            self._change_sets.remove(self._change_set(request))
        except ServiceError as error:
            if error.code != "ChangeSetNotFound":
                raise
        return {}

    def execute_change_set(self, request: Json) -> Json:
        change_set = self._change_set(request)
        stack = change_set.stack
        with self._lock:
            if change_set.execution_status != "AVAILABLE" or stack.in_progress:
                raise ServiceError(
                    "InvalidChangeSetStatus",
                    f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{change_set.status}], "
                    f"{change_set.execution_status}; stack {stack.name} is {stack.status}",
                )
            deployment = self._deployment(stack, change_set.template_text, change_set.parameters)
            stack.tags, stack.capabilities = change_set.tags, change_set.capabilities
            stack.role_arn = change_set.role_arn
            stack.disable_rollback = bool(request.get("DisableRollback")) or change_set.disable_rollback
            stack.client_request_token = request.get("ClientRequestToken")
            self._change_sets = [known for known in self._change_sets if known.stack is not stack]
            self._start(stack, change_set.kind, deployment)
        return {}

    # Stacks

    def create_stack(self, request: Json) -> Json:
        with self._lock:
            name = request["StackName"]
            if self._find(name) is not None:
                raise ServiceError("AlreadyExistsException", f"Stack [{name}] already exists")
            stack = self._new_stack(name)
            deployment = self._deployment(
                stack, self._template_text(request, stack), _parameters(request, stack)
            )
            self._accept(stack, request)
            self._stacks.append(stack)
            stack.set_status("REVIEW_IN_PROGRESS")
            self._start(stack, "CREATE", deployment)
        return {"StackId": stack.id}

    def update_stack(self, request: Json) -> Json:
        with self._lock:
            stack = self._stack(request["StackName"])
            self._require_updatable(stack)
            text = self._template_text(request, stack)
            deployment = self._deployment(stack, text, _parameters(request, stack))
            if not deployment.changes() and read_template(text) == stack.template:
                raise validation_error("No updates are to be performed.")
            self._accept(stack, request)
            self._start(stack, "UPDATE", deployment)
        return {"StackId": stack.id}

    def delete_stack(self, request: Json) -> Json:
        stack = self._find(request["StackName"])
        if stack is None or stack.status == "DELETE_COMPLETE":
            return {}
        with self._lock:
            if stack.in_progress:
                raise validation_error(
                    f"Stack [{stack.name}] cannot be deleted while in status {stack.status}"
                )
            if stack.termination_protection:
                raise validation_error(
                    f"Stack [{stack.id}] cannot be deleted while TerminationProtection is enabled"
                )
            stack.role_arn = request.get("RoleARN") or stack.role_arn
            stack.client_request_token = request.get("ClientRequestToken")
            self._change_sets = [known for known in self._change_sets if known.stack is not stack]
            stack.set_status("DELETE_IN_PROGRESS", "User Initiated")
        retain = request.get("RetainResources", [])
        self._in_background(stack, lambda: delete_stack(self.account, stack, retain), "DELETE_FAILED")
        return {}

    def describe_stacks(self, request: Json) -> Json:
        if "StackName" in request:
            return {"Stacks": [describe(self._stack(request["StackName"]))]}
        return {"Stacks": [describe(stack) for stack in self.stacks()]}

    def list_stacks(self, request: Json) -> Json:
        wanted = request.get("StackStatusFilter")
        return {
            "StackSummaries": [
                {
                    "StackId": stack.id,
                    "StackName": stack.name,
                    "CreationTime": stack.created,
                    "DeletionTime": stack.deleted,
                    "StackStatus": stack.status,
                    "StackStatusReason": stack.status_reason,
                }
                for stack in self._stacks
                if not wanted or stack.status in wanted
            ]
        }

    def describe_stack_events(self, request: Json) -> Json:
        return {"StackEvents": list(reversed(self._stack(request["StackName"]).events))}

    def describe_stack_resources(self, request: Json) -> Json:
        if "StackName" not in request:
            raise validation_error("The local AWS supports DescribeStackResources with a StackName only")
        stack = self._stack(request["StackName"])
        wanted = request.get("LogicalResourceId")
        return {
            "StackResources": [
                describe_resource(stack, name, "Timestamp")
                for name in list(stack.resources)
                if wanted in (None, name)
            ]
        }

    def describe_stack_resource(self, request: Json) -> Json:
        stack = self._stack(request["StackName"])
        name = request["LogicalResourceId"]
        if name not in stack.resources:
            raise validation_error(f"Resource {name} does not exist for stack {stack.name}")
        return {"StackResourceDetail": describe_resource(stack, name, "LastUpdatedTimestamp")}

    def list_stack_resources(self, request: Json) -> Json:
        stack = self._stack(request["StackName"])
        resources = [describe_resource(stack, name, "LastUpdatedTimestamp") for name in list(stack.resources)]
        return {"StackResourceSummaries": resources}

    def get_template(self, request: Json) -> Json:
        if "ChangeSetName" in request:
            return {"TemplateBody": self._change_set(request).template_text}
        stack = self._stack(request["StackName"])
        return {"TemplateBody": stack.template_text, "StagesAvailable": ["Original", "Processed"]}

    def get_template_summary(self, request: Json) -> Json:
        stack = self._stack(request["StackName"]) if "StackName" in request else None
        template = read_template(self._template_text(request, stack))
        return {
            "Parameters": [
                {
                    "ParameterKey": name,
                    "ParameterType": spec["Type"],
                    "DefaultValue": None if "Default" not in spec else str(spec["Default"]),
                    "NoEcho": bool(spec.get("NoEcho", False)),
                    "Description": spec.get("Description"),
                }
                for name, spec in template.get("Parameters", {}).items()
            ],
            "Description": template.get("Description"),
            "ResourceTypes": sorted({resource["Type"] for resource in template["Resources"].values()}),
            "Metadata": json.dumps(template["Metadata"]) if "Metadata" in template else None,
            "Version": template.get("AWSTemplateFormatVersion"),
        }

    def validate_template(self, request: Json) -> Json:
        template = read_template(self._template_text(request, None))
        return {"Description": template.get("Description")}

    def list_exports(self, _request: Json) -> Json:
        return {
            "Exports": [
                {"ExportingStackId": stack.id, "Name": name, "Value": value}
                for stack in self.stacks()
                for name, value in stack.exports().items()
            ]
        }

    def update_termination_protection(self, request: Json) -> Json:
        stack = self._stack(request["StackName"])
        stack.termination_protection = bool(request["EnableTerminationProtection"])
        return {"StackId": stack.id}

    def list_imports(self, request: Json) -> Json:
        raise validation_error(f"Export '{request['ExportName']}' is not imported by any stack.")

    # How they are found, started and ended

    def _start(self, stack: Stack, kind: str, deployment: Deployment) -> None:
        stack.set_status(f"{kind}_IN_PROGRESS", "User Initiated")
        self._in_background(stack, deployment.run, f"{kind}_FAILED")

    def _in_background(self, stack: Stack, work: object, failed: str) -> None:
        credentials = self._rights.credentials(stack.role_arn)

        def run() -> None:
            try:
                with acting_as(credentials):
                    work()  # type: ignore[operator]
            except Exception as error:  # a fault of the local AWS: the stack must not stay in progress
                LOG.exception("stack %s", stack.name)
                stack.set_status(failed, f"A fault of the local AWS: {type(error).__name__}: {error}")

        threading.Thread(target=run, name=f"cloudformation-{stack.name}", daemon=True).start()

    def _deployment(self, stack: Stack, text: str, parameters: dict[str, str]) -> Deployment:
        exports = {name: value for other in self.stacks() for name, value in other.exports().items()}
        return Deployment(self.account, stack, text, parameters, exports)

    def _accept(self, stack: Stack, request: Json) -> None:
        stack.tags = request.get("Tags", stack.tags)
        stack.capabilities = request.get("Capabilities", [])
        stack.role_arn = request.get("RoleARN") or stack.role_arn
        on_failure = request.get("OnFailure", "ROLLBACK")
        if on_failure == "DELETE":
            raise validation_error("The local AWS does not support OnFailure=DELETE")
        stack.disable_rollback = bool(request.get("DisableRollback")) or on_failure == "DO_NOTHING"
        stack.client_request_token = request.get("ClientRequestToken")

    def _new_stack(self, name: str) -> Stack:
        return Stack(id=self.account.arn("cloudformation", f"stack/{name}/{uuid4()}"), name=name)

    def _stack_for_change_set(self, name: str, kind: str) -> Stack:
        stack = self._find(name)
        if kind == "CREATE":
            if stack is None:
                return self._new_stack(name)
            if stack.status != "REVIEW_IN_PROGRESS":
                raise ServiceError(
                    "AlreadyExistsException", f"Stack [{name}] already exists and cannot be created again"
                )
            return stack
        if stack is None:
            raise validation_error(f"Stack [{name}] does not exist")
        self._require_updatable(stack)
        return stack

    def _require_updatable(self, stack: Stack) -> None:
        if stack.status not in UPDATABLE and not stack.disable_rollback:
            raise validation_error(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def _find(self, name_or_id: str) -> Stack | None:
        """Find a stack: by id also a deleted one, by name only one that exists."""
        for stack in self._stacks:
            if stack.id == name_or_id or (stack.name == name_or_id and stack.status != "DELETE_COMPLETE"):
                return stack
        return None

    def _stack(self, name_or_id: str) -> Stack:
        stack = self._find(name_or_id)
        if stack is None:
            raise validation_error(f"Stack with id {name_or_id} does not exist")
        return stack

    def _of(self, stack: Stack) -> list[ChangeSet]:
        return [known for known in self._change_sets if known.stack is stack]

    def _change_set(self, request: Json) -> ChangeSet:
        name = request["ChangeSetName"]
        for change_set in self._change_sets:
            in_stack = request.get("StackName") in (None, change_set.stack.name, change_set.stack.id)
            if change_set.id == name or (change_set.name == name and in_stack):
                return change_set
        raise ServiceError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)

    def _template_text(self, request: Json, stack: Stack | None) -> str:
        if "TemplateBody" in request:
            return str(request["TemplateBody"])
        if "TemplateURL" in request:
            return self._download(request["TemplateURL"])
        if stack is not None and stack.template_text:
            return stack.template_text
        raise validation_error("Either Template URL or Template Body must be specified.")

    def _download(self, url: str) -> str:
        """Path style (host/bucket/key) or virtual-hosted style (bucket.host/key)."""
        parts = urlsplit(url)
        host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
        bucket = host.removesuffix(".localhost") if host.endswith(".localhost") else host.partition(".s3.")[0]
        if host == "localhost" or host.startswith(("s3.", "127.")):
            bucket, _, path = path.partition("/")
        s3 = client(self.account, "s3")
        try:
            text: str = s3.get_object(Bucket=bucket, Key=path)["Body"].read().decode()
        except ClientError as error:
            raise validation_error(f"S3 error: {url}: {error}") from error
        return text


def _parameters(request: Json, stack: Stack) -> dict[str, str]:
    parameters = {}
    for parameter in request.get("Parameters", []):
        key = parameter["ParameterKey"]
        if parameter.get("UsePreviousValue"):
            if key in stack.given_parameters:
                parameters[key] = stack.given_parameters[key]
            continue
        parameters[key] = parameter["ParameterValue"]
    return parameters
