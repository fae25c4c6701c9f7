"""Schemas of CloudFormation's registry, as cfn-lint ships them with AWS's corrections.

Importing cfn-lint costs more than a second, so its files are read, each when a stack first needs it.
"""

import importlib.util
import json
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from localaws.core.errors import Json
from localaws.core.schema_validation import conform

Properties = dict[str, Any]
# Fn::GetAtt of these takes properties, too, not only what is read-only (cfnlint.schema._getatts; a test compares).
EVERY_PROPERTY_IS_AN_ATTRIBUTE = frozenset(
    {
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::Subnet",
        "AWS::EC2::VPC",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::RDS::DBInstance",
        "AWS::SNS::Topic",
        "AWS::SSM::Parameter",
    }
)


class ResourceSchema:
    """One type of the registry."""

    def __init__(self, schema: Json) -> None:
        self.type = str(schema["typeName"])
        self.schema = schema

    @cached_property
    def attributes(self) -> frozenset[str]:
        """The attributes that Fn::GetAtt takes."""
        names = {".".join(path) for path in self._paths("readOnlyProperties")}
        if self.type in EVERY_PROPERTY_IS_AN_ATTRIBUTE:
            names |= self.schema["properties"].keys()
        return frozenset(names)

    def name_of(self, properties: Properties) -> str | None:
        """The name that the template gives the resource: no two resources share one."""
        read_only = self._paths("readOnlyProperties")
        last = self.type.rpartition("::")[2]
        identifier = self._paths("primaryIdentifier")
        candidates = [
            *(identifier if len(identifier) == 1 else []),
            ["Name"],
            [f"{last}Name"],
            [last, f"{last}Name"],
        ]
        for path in candidates:
            if path in self._paths("createOnlyProperties") and path not in read_only:
                return next(_values(properties, path), None)
        return None

    def read(self, properties: Properties) -> tuple[Properties, list[str]]:
        """The properties in the schema's types, and what the schema refuses, in CloudFormation's words."""
        result, violations = conform(self.schema, properties)
        for path in self._paths("readOnlyProperties"):
            if any(True for _ in _values(result, path)):
                where = "/".join(["#", *path[:-1]])
                violations.append(f"{where}: extraneous key [{path[-1]}] is not permitted: it is read-only")
        return result, violations

    def replaces(self, old: Properties, new: Properties) -> bool:
        """Whether a property changes that is given at creation only."""
        return any(
            list(_values(old, path)) != list(_values(new, path))
            for path in self._paths("createOnlyProperties")
        )

    def _paths(self, member: str) -> list[list[str]]:
        return [
            [step for step in pointer.split("/")[2:] if step not in ("items", "properties")]
            for pointer in self.schema.get(member, [])
        ]


@cache
def resource_schema(resource_type: str, region: str) -> ResourceSchema | None:
    """Return the schema of a resource type, or None if the region lacks the type."""
    file_name = _types(region).get(resource_type)
    if file_name is None:
        return None
    return ResourceSchema(json.loads((_folder() / "resources" / f"{file_name}.json").read_text("utf-8")))


@cache
def _types(region: str) -> dict[str, str]:
    file = _folder() / "providers" / f"{region}.json"
    if not file.exists():
        file = file.with_name("us-east-1.json")
    types: dict[str, str] = json.loads(file.read_text("utf-8"))
    return types


@cache
def _folder() -> Path:
    found = importlib.util.find_spec("cfnlint")
    assert found is not None, "localaws depends on cfn-lint"
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0], "data", "schemas")


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif path[0] == "*":
        for item in value if isinstance(value, list) else []:
            yield from _values(item, path[1:])
    elif isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif isinstance(value, dict) and path[0] in value:
        yield from _values(value[path[0]], path[1:])
