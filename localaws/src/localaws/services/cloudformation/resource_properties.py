"""Checks of a resource's properties, and of their changes, by the registry's schema."""

from localaws.core.errors import validation_error
from localaws.core.resource import Properties
from localaws.core.resource_schema import ResourceSchema, resource_schema
from localaws.services.cloudformation.custom_resource import is_custom


def read_properties(resource_type: str, logical_id: str, given: Properties, region: str) -> Properties:
    """The properties in the types of the schema. Raises ServiceError("ValidationError") with every violation."""
    if is_custom(resource_type):
        return given
    properties, violations = _schema(resource_type, region).read(given)
    if violations:
        raise validation_error(
            f"Properties validation failed for resource {logical_id} with message:\n" + "\n".join(violations)
        )
    return properties


def must_replace(resource_type: str, old: Properties, new: Properties, region: str) -> bool:
    """Whether the change makes a new resource; a custom resource decides by the id that it answers with.

    Properties that the schema calls conditionally create-only are changed in place: the condition is not published.
    """
    if is_custom(resource_type):
        return False
    schema = _schema(resource_type, region)
    if not schema.replaces(old, new):
        return False
    name = schema.name_of(new)
    if name is not None and name == schema.name_of(old):
        raise validation_error(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
            f"Rename {name} and update the stack again."
        )
    return True


def _schema(resource_type: str, region: str) -> ResourceSchema:
    schema = resource_schema(resource_type, region)
    assert schema is not None, f"check_template lets no {resource_type} pass"
    return schema
