"""CloudFormation resource types that our own services implement.

A service's `resources.py` has `RESOURCES: list[Resource]`, one object per type; `registry.py` registers them.
Properties arrive with every Ref, GetAtt, Join, Sub … resolved, in CloudFormation's own casing ("RoleArn").
They satisfy the schema of the registry and have its types, also where the template says "5" or "true".
An exception in a method fails the resource with the exception's text as the reason, and the stack rolls back.
"""

from typing import Any, Protocol

from localaws.core.account import Account
from localaws.core.errors import ServiceError

Properties = dict[str, Any]


class Resource(Protocol):
    """One CloudFormation type. Physical ids are what Ref returns and what a stack shows."""

    type: str  # "AWS::SageMaker::Pipeline"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        """The physical id of the new resource; raises when it exists already.

        `logical_id` arrives as "<stack name>-<logical id>": the usual prefix of a name that the template
        does not give.
        """

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        """All values of Fn::GetAtt, dotted names as they are written in a template."""

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        """Change the resource in place. Only properties that the schema lets change differ; others make it anew.

        A new physical id means replacement all the same, as a custom resource does it: `delete` follows later for
        the old one, with the old properties.
        """

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        """Remove the resource; one that is gone already is not an error."""


class CreationFailed(ServiceError):
    """A resource that failed to be created and nevertheless left something, which a rollback deletes."""

    def __init__(self, message: str, physical_id: str) -> None:
        super().__init__("GeneralServiceException", message)
        self.physical_id = physical_id


RESOURCE_TYPES: dict[str, Resource] = {}


def register(resource: Resource) -> None:
    RESOURCE_TYPES[resource.type] = resource
