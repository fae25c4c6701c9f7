"""Deletion of stacks and their resources."""

import logging
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.services.cloudformation.references import in_dependency_order, references
from localaws.services.cloudformation.stack import KEEP, Stack, StackResource, reason_of, resource_type

LOG = logging.getLogger("localaws.cloudformation")


def delete_stack(account: Account, stack: Stack, retain: list[str]) -> None:
    """Delete in reverse order of dependency; resources that a failed one depends on stay."""
    blocked: set[str] = set()
    failed: list[str] = []
    order = in_dependency_order(stack.template) if stack.template["Resources"] else []
    for logical_id in reversed(order):
        resource = stack.resources.get(logical_id)
        if resource is None:
            continue
        if logical_id in blocked:
            failed.append(logical_id)
        elif logical_id in retain:
            stack.set_resource_status(resource, "DELETE_SKIPPED")
        else:
            try:
                delete_resource(account, stack, resource)
            except Exception as error:  # the others go on; the stack ends DELETE_FAILED
                LOG.info("%s: %s", logical_id, reason_of(error))
                failed.append(logical_id)
        if logical_id in failed:
            blocked |= _dependencies_of(resource)
        else:
            del stack.resources[logical_id]
    if failed:
        stack.set_status("DELETE_FAILED", f"The following resource(s) failed to delete: {failed}.")
    else:
        stack.deleted = datetime.now(UTC)
        stack.set_status("DELETE_COMPLETE")


def delete_resource(
    account: Account,
    stack: Stack,
    resource: StackResource,
    *,
    retain: tuple[str, ...] = KEEP,
    policy: str = "DeletionPolicy",
) -> None:
    if resource.definition.get(policy) in retain:
        stack.set_resource_status(resource, "DELETE_SKIPPED")
        return
    stack.set_resource_status(resource, "DELETE_IN_PROGRESS")
    try:
        resource_type(stack, resource).delete(account, resource.physical_id, resource.properties)
    except Exception as error:
        if not isinstance(error, ServiceError | ClientError):
            LOG.exception("%s %s", resource.type, resource.logical_id)
        stack.set_resource_status(resource, "DELETE_FAILED", reason_of(error))
        raise
    stack.set_resource_status(resource, "DELETE_COMPLETE")


def _dependencies_of(resource: StackResource) -> set[str]:
    explicit: Any = resource.definition.get("DependsOn", [])
    names = {explicit} if isinstance(explicit, str) else set(explicit)
    return names | set(references(resource.definition.get("Properties", {})))
