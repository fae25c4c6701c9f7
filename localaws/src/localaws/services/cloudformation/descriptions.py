"""Stacks and their resources as the API describes them."""

from localaws.core.errors import Json
from localaws.services.cloudformation.stack import Stack


def parameter_list(parameters: Json) -> list[Json]:
    return [
        {"ParameterKey": key, "ParameterValue": ",".join(value) if isinstance(value, list) else str(value)}
        for key, value in parameters.items()
    ]


def describe(stack: Stack) -> Json:
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": stack.template.get("Description"),
        "Parameters": parameter_list(stack.parameters),
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatus": stack.status,
        "StackStatusReason": stack.status_reason,
        "DisableRollback": stack.disable_rollback,
        "Capabilities": stack.capabilities,
        "Outputs": stack.outputs,
        "RoleARN": stack.role_arn,
        "Tags": stack.tags,
        "EnableTerminationProtection": stack.termination_protection,
        "NotificationARNs": [],
    }


def describe_resource(stack: Stack, logical_id: str, time_member: str) -> Json:
    resource = stack.resources[logical_id]
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        time_member: resource.updated,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
    }
