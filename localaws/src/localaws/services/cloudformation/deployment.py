"""Deployments, which create, update and roll back the resources of a stack."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError, validation_error
from localaws.core.identity import ACCOUNT_ID
from localaws.core.resource import CreationFailed, Properties
from localaws.core.resource_helpers import client
from localaws.services.cloudformation.deletion import delete_resource
from localaws.services.cloudformation.parameters import resolve_parameters
from localaws.services.cloudformation.references import in_dependency_order, references
from localaws.services.cloudformation.resource_properties import must_replace, read_properties
from localaws.services.cloudformation.stack import Stack, StackResource, reason_of, resource_type
from localaws.services.cloudformation.template import Resolver, check_rules, read_template
from localaws.services.cloudformation.template_checks import check_template, check_types_stay

LOG = logging.getLogger("localaws.cloudformation")


REPLACEMENT = "Requested update requires the creation of a new physical resource; hence creating one."


class ResourceFailed(Exception):
    """A resource could not be created or updated; its event carries the reason."""


class Deployment:
    """Brings a stack from its present template to another one, or back when that fails."""

    def __init__(
        self,
        account: Account,
        stack: Stack,
        template_text: str,
        parameters: dict[str, str],
        exports: dict[str, str],
    ) -> None:
        self._account = account
        self._stack = stack
        self._text = template_text
        self._given = parameters
        self._exports = exports
        self._template = read_template(template_text)
        self._undo: list[Callable[[], None]] = []
        self._replaced: list[StackResource] = []
        self._values: Json = {**self._pseudo_parameters(), **self._parameters()}
        check_template(self._template, self._values, account.region)
        check_rules(self._template, self._resolver())
        self._order = in_dependency_order(self._template)
        check_types_stay(stack.resources, self._wanted())

    def changes(self) -> list[Json]:
        """The changes that a change set lists; a property that follows from another resource counts by its template text."""
        wanted = self._wanted()
        old = self._stack.resources
        found = [("Add", name, wanted[name]["Type"]) for name in wanted if name not in old]
        new_parameters = {k: v for k, v in self._parameters().items() if self._stack.parameters.get(k) != v}
        for name in wanted.keys() & old.keys():
            definition = wanted[name]
            if definition != old[name].definition or set(references(definition)) & new_parameters.keys():
                found.append(("Modify", name, definition["Type"]))
        found += [("Remove", name, old[name].type) for name in old if name not in wanted]
        return [
            {
                "Type": "Resource",
                "ResourceChange": {"Action": action, "LogicalResourceId": name, "ResourceType": kind}
                | ({"PhysicalResourceId": old[name].physical_id} if name in old else {}),
            }
            for action, name, kind in found
        ]

    def run(self) -> None:
        """Deploy the change set; always end in a …_COMPLETE or …_FAILED status of the stack."""
        stack = self._stack
        kind = "CREATE" if stack.status in ("REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS") else "UPDATE"
        try:
            self._apply()
            outputs = self._outputs()
        except ResourceFailed as failure:
            self._failed(kind, str(failure))
            return
        except ServiceError as error:
            self._failed(kind, error.message)
            return
        stack.template, stack.template_text = self._template, self._text
        stack.given_parameters, stack.parameters, stack.outputs = self._given, self._parameters(), outputs
        if kind == "UPDATE":
            stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            self._clean_up()
            stack.updated = datetime.now(UTC)
        stack.set_status(f"{kind}_COMPLETE")

    def _apply(self) -> None:
        wanted = self._wanted()
        for logical_id in self._order:
            if logical_id not in wanted:
                continue
            definition = wanted[logical_id]
            present = self._stack.resources.get(logical_id)
            if present is None:
                self._create(logical_id, definition)
            else:
                self._update(present, definition)

    def _create(self, logical_id: str, definition: Json) -> None:
        stack = self._stack
        resource = StackResource(logical_id, definition["Type"], definition)
        stack.resources[logical_id] = resource
        self._undo.append(lambda: self._undo_create(resource))
        self._attempt(resource, "CREATE", lambda: self._provision(resource, definition))

    def _provision(self, resource: StackResource, definition: Json) -> None:
        resource.properties = self._properties(resource.logical_id, definition)
        implementation = resource_type(self._stack, resource)
        stack_name = f"{self._stack.name}-{resource.logical_id}"
        resource.physical_id = implementation.create(self._account, stack_name, resource.properties)
        resource.attributes = implementation.attributes(self._account, resource.physical_id)

    def _update(self, resource: StackResource, definition: Json) -> None:
        self._values[resource.logical_id] = resource.physical_id
        old = StackResource(**vars(resource))
        try:
            properties = self._properties(resource.logical_id, definition)
            replace = must_replace(resource.type, resource.properties, properties, self._account.region)
        except ServiceError as error:  # refused before anything is changed
            self._undo.append(lambda: self._stack.set_resource_status(resource, "UPDATE_COMPLETE"))
            raise self._failure(resource, "UPDATE", error) from error
        if properties == resource.properties:
            resource.definition = definition
            self._undo.append(lambda: setattr(resource, "definition", old.definition))
            return
        self._undo.append(lambda: self._undo_update(resource, old, properties))
        self._attempt(resource, "UPDATE", lambda: self._modify(resource, definition, properties, replace))
        if resource.physical_id != old.physical_id:
            self._replaced.append(old)

    def _modify(
        self, resource: StackResource, definition: Json, properties: Properties, replace: bool
    ) -> None:
        implementation = resource_type(self._stack, resource)
        if replace:
            self._stack.set_resource_status(resource, "UPDATE_IN_PROGRESS", REPLACEMENT)
            stack_name = f"{self._stack.name}-{resource.logical_id}"
            resource.physical_id = implementation.create(self._account, stack_name, properties)
        else:
            resource.physical_id = implementation.update(
                self._account, resource.physical_id, properties, resource.properties
            )
        resource.properties, resource.definition = properties, definition
        resource.attributes = implementation.attributes(self._account, resource.physical_id)

    def _attempt(self, resource: StackResource, kind: str, work: Callable[[], None]) -> None:
        stack = self._stack
        stack.set_resource_status(resource, f"{kind}_IN_PROGRESS")
        try:
            work()
        except Exception as error:  # any failure of a type is the reason that the stack shows
            if not isinstance(error, ServiceError | ClientError):
                LOG.exception("%s %s", resource.type, resource.logical_id)
            if isinstance(error, CreationFailed):
                resource.physical_id = error.physical_id
            raise self._failure(resource, kind, error) from error
        self._values[resource.logical_id] = resource.physical_id
        stack.set_resource_status(resource, f"{kind}_COMPLETE")

    def _failure(self, resource: StackResource, kind: str, error: Exception) -> ResourceFailed:
        self._stack.set_resource_status(resource, f"{kind}_FAILED", reason_of(error))
        return ResourceFailed(f"The following resource(s) failed to {kind.lower()}: [{resource.logical_id}].")

    def _failed(self, kind: str, reason: str) -> None:
        stack = self._stack
        if stack.disable_rollback:
            stack.set_status(f"{kind}_FAILED", reason)
            return
        prefix = "ROLLBACK" if kind == "CREATE" else "UPDATE_ROLLBACK"
        stack.set_status(f"{prefix}_IN_PROGRESS", f"{reason} Rollback requested by user.")
        failures = []
        for undo in reversed(self._undo):
            try:
                undo()
            except Exception as error:  # the rest is still rolled back; the stack's status tells
                LOG.exception("rollback of %s", stack.name)
                failures.append(reason_of(error))
        stack.set_status(
            f"{prefix}_FAILED" if failures else f"{prefix}_COMPLETE", "; ".join(failures) or None
        )

    def _undo_create(self, resource: StackResource) -> None:
        if resource.physical_id:
            # What a failed creation leaves goes, even if its deletion policy is RetainExceptOnCreate.
            delete_resource(self._account, self._stack, resource, retain=("Retain",))
        else:
            self._stack.set_resource_status(resource, "DELETE_COMPLETE")
        del self._stack.resources[resource.logical_id]

    def _undo_update(self, resource: StackResource, old: StackResource, attempted: Properties) -> None:
        if resource.physical_id != old.physical_id:
            delete_resource(self._account, self._stack, StackResource(**vars(resource)), retain=())
        else:  # also when the update failed: it may have failed half way
            implementation = resource_type(self._stack, resource)
            implementation.update(self._account, old.physical_id, old.properties, attempted)
        vars(resource).update(vars(old))
        self._stack.set_resource_status(resource, "UPDATE_COMPLETE")

    def _clean_up(self) -> None:
        stack = self._stack
        wanted = self._wanted()
        removed = [stack.resources[name] for name in list(stack.resources) if name not in wanted]
        for resource in reversed(self._replaced + removed):
            try:
                policy = "UpdateReplacePolicy" if resource in self._replaced else "DeletionPolicy"
                delete_resource(self._account, stack, resource, policy=policy)
            except Exception as error:  # on AWS, too, the update is complete all the same
                LOG.warning("%s stays behind: %s", resource.logical_id, reason_of(error))
            if stack.resources.get(resource.logical_id) is resource:
                del stack.resources[resource.logical_id]

    def _outputs(self) -> list[Json]:
        resolver = self._resolver()
        outputs = []
        for name, output in self._template.get("Outputs", {}).items():
            if "Condition" in output and not resolver.condition(output["Condition"]):
                continue
            entry = {"OutputKey": name, "OutputValue": str(resolver.resolve(output["Value"]))}
            if "Description" in output:
                entry["Description"] = output["Description"]
            if "Export" in output:
                entry["ExportName"] = resolver.resolve(output["Export"]["Name"])
            outputs.append(entry)
        return outputs

    def _wanted(self) -> dict[str, Json]:
        resolver = self._resolver()
        return {
            name: definition
            for name, definition in self._template["Resources"].items()
            if "Condition" not in definition or resolver.condition(definition["Condition"])
        }

    def _properties(self, logical_id: str, definition: Json) -> Properties:
        given = self._resolver().resolve(definition.get("Properties", {}))
        return read_properties(definition["Type"], logical_id, given, self._account.region)

    def _resolver(self) -> Resolver:
        return Resolver(self._template, self._values, self._attribute, self._exports)

    def _attribute(self, logical_id: str, name: str) -> str:
        resource = self._stack.resources.get(logical_id)
        if resource is None:
            raise validation_error(f"Template error: Fn::GetAtt references undefined resource {logical_id}")
        if name in resource.attributes:
            return resource.attributes[name]
        if isinstance(resource.properties.get(name), str):  # of some types every property is an attribute
            return str(resource.properties[name])
        raise validation_error(
            f"The local AWS does not know the attribute {name} of {logical_id}; of {resource.type} it knows "
            f"{sorted(resource.attributes)}."
        )

    def _parameters(self) -> Json:
        def read_ssm(name: str) -> str:
            try:
                found = client(self._account, "ssm").get_parameters(Names=[name])["Parameters"]
            except ClientError as error:
                raise validation_error(error.response["Error"]["Message"]) from error
            if not found:
                raise validation_error(
                    f"Unable to fetch parameters [{name}] from parameter store for this account."
                )
            return str(found[0]["Value"])

        if not hasattr(self, "_resolved_parameters"):
            self._resolved_parameters = resolve_parameters(
                self._template.get("Parameters", {}), self._given, read_ssm
            )
        return self._resolved_parameters

    def _pseudo_parameters(self) -> Json:
        return {
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::Region": self._account.region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": self._stack.id,
            "AWS::StackName": self._stack.name,
            "AWS::NotificationARNs": [],
        }
