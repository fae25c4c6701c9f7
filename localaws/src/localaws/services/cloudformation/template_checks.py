"""Checks of a template before anything is made. The messages are CloudFormation's."""

from collections.abc import Iterator, Mapping
from typing import Any

from localaws.core.errors import Json, validation_error
from localaws.core.resource import RESOURCE_TYPES
from localaws.core.resource_schema import resource_schema
from localaws.services.cloudformation.custom_resource import is_custom
from localaws.services.cloudformation.function_checks import check_functions
from localaws.services.cloudformation.references import Template, attributes, conditions, references

SECTIONS = frozenset(
    {
        *("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings"),
        *("Conditions", "Transform", "Hooks", "Resources", "Outputs"),
    }
)
RESOURCE_MEMBERS = frozenset(
    {
        *("Type", "Properties", "DependsOn", "Condition", "Metadata", "CreationPolicy", "DeletionPolicy"),
        *("UpdatePolicy", "UpdateReplacePolicy"),
    }
)
DELETION_POLICIES = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")
PARAMETER_MEMBERS = frozenset(
    {
        *("Type", "Default", "Description", "NoEcho", "AllowedValues", "AllowedPattern", "MinLength"),
        *("MaxLength", "MinValue", "MaxValue", "ConstraintDescription"),
    }
)
PARAMETER_TYPES = ("String", "Number", "List<Number>", "CommaDelimitedList")
VERSION = "2010-09-09"
DESCRIPTION_LIMIT = 1024
LIMITS = {"Resources": 500, "Outputs": 200, "Parameters": 200, "Mappings": 200}


def check_template(template: Template, names: Mapping[str, Any], region: str) -> None:
    """`names` are the parameters and pseudo parameters. Raises ServiceError("ValidationError")."""
    if unknown := sorted(template.keys() - SECTIONS):
        raise validation_error(f"Invalid template property or properties [{', '.join(unknown)}]")
    if template.get("AWSTemplateFormatVersion", VERSION) != VERSION:
        raise validation_error(
            f"Template format error: unsupported AWSTemplateFormatVersion, only {VERSION} is"
        )
    if len(str(template.get("Description", ""))) > DESCRIPTION_LIMIT:
        raise validation_error(
            f"Template format error: 'Description' length is greater than {DESCRIPTION_LIMIT}."
        )
    for section, most in LIMITS.items():
        if (number := len(template.get(section, {}))) > most:
            raise validation_error(
                f"Template format error: Number of {section.lower()}, {number}, is greater than maximum "
                f"allowed, {most}"
            )
    _check_outputs(template.get("Outputs", {}))
    _check_parameters(template.get("Parameters", {}))
    for name, definition in template["Resources"].items():
        _check_resource(name, definition)
    _check_types(template["Resources"], region)
    check_functions(template, [template["Resources"], template.get("Outputs", {})])
    for section in ("Resources", "Outputs"):
        _check_references(template, section, names)
        _check_attributes(template, section, region)


def _check_outputs(outputs: Mapping[str, Any]) -> None:
    exports = []
    for output in outputs.values():
        if not isinstance(output, dict) or "Value" not in output:
            raise validation_error("Template format error: Every Outputs member must contain a Value object")
        name = output.get("Export", {}).get("Name")
        if name is not None and name in exports:
            raise validation_error(f"Template format error: Duplicate Export names: [{name}]")
        exports.append(name)


def _check_parameters(parameters: Mapping[str, Json]) -> None:
    for name, spec in parameters.items():
        if unknown := sorted(spec.keys() - PARAMETER_MEMBERS):
            raise validation_error(f"Invalid template parameter property '{unknown[0]}'")
        kind = str(spec.get("Type"))
        if kind not in PARAMETER_TYPES and not kind.startswith(("AWS::", "List<AWS::")):
            raise validation_error(f"Template format error: Unrecognized parameter type: {kind} of {name}")


def _check_resource(name: str, definition: Any) -> None:
    if not (name.isascii() and name.isalnum()):
        raise validation_error(f"Template format error: Resource name {name} is non alphanumeric.")
    if not isinstance(definition, dict) or not isinstance(definition.get("Properties", {}), dict):
        raise validation_error(f"Template format error: [/Resources/{name}] resource definition is malformed")
    if unknown := sorted(definition.keys() - RESOURCE_MEMBERS):
        raise validation_error(f"Invalid template resource property '{unknown[0]}'")
    if "Type" not in definition:
        raise validation_error(
            f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        )
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        value = definition.get(policy, "Delete")
        if isinstance(value, str) and value not in DELETION_POLICIES:
            raise validation_error(f"Template error: Unrecognized {policy} {value} for resource {name}")
    if null := next(_nulls(definition.get("Properties", {}), f"/Resources/{name}/Properties"), None):
        raise validation_error(f"Template format error: [{null}] 'null' values are not allowed in templates")


def _check_types(definitions: dict[str, Json], region: str) -> None:
    types = {definition["Type"] for definition in definitions.values() if not is_custom(definition["Type"])}
    if unknown := sorted(name for name in types if resource_schema(name, region) is None):
        raise validation_error(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    if missing := sorted(types - RESOURCE_TYPES.keys()):
        raise validation_error(f"The local AWS does not support the resource types [{', '.join(missing)}].")


def _check_references(template: Template, section: str, names: Mapping[str, Any]) -> None:
    known = names.keys() | template["Resources"].keys() | {"AWS::NoValue"}
    body = template.get(section, {})
    explicit = [definition.get("DependsOn", []) for definition in body.values() if section == "Resources"]
    wanted = {name for depends in explicit for name in ([depends] if isinstance(depends, str) else depends)}
    wanted |= {name for name in references(body) if isinstance(name, str)}
    if unknown := sorted(wanted - known):
        raise validation_error(
            f"Template format error: Unresolved resource dependencies [{', '.join(unknown)}] in the {section} "
            "block of the template"
        )
    declared = template.get("Conditions", {})
    if unknown := sorted(set(conditions(body)) - declared.keys()):
        raise validation_error(
            f"Template format error: Unresolved condition dependency {unknown[0]} in the {section} block of the "
            "template"
        )


def _check_attributes(template: Template, section: str, region: str) -> None:
    for name, attribute in attributes(template.get(section, {})):
        if not isinstance(attribute, str):
            continue  # another function says which
        if name not in template["Resources"]:
            raise validation_error(
                f"Template error: instance of Fn::GetAtt references undefined resource {name}"
            )
        kind = template["Resources"][name]["Type"]
        schema = None if is_custom(kind) else resource_schema(kind, region)
        if schema is not None and attribute not in schema.attributes:
            raise validation_error(
                f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
            )


def _nulls(value: Any, path: str) -> Iterator[str]:
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _nulls(item, f"{path}/{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _nulls(item, f"{path}/{number}")


def check_types_stay(old: Mapping[str, Any], definitions: Mapping[str, Json]) -> None:
    changed = [name for name in definitions if name in old and old[name].type != definitions[name]["Type"]]
    if changed:
        raise validation_error(
            "Update of resource type is not permitted. The new template modifies resource type of the following "
            f"resources: [{', '.join(sorted(changed))}]"
        )
