"""The properties of a CloudFormation resource in the shape of the service's API."""

from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape


def to_api(value: Any, shape: Shape, where: str) -> Any:
    """`value` in the API's case and types: CloudFormation writes `ServiceRole` and lets "60" stand for 60.

    Raises ValueError for a property that the API does not have.
    """
    if isinstance(shape, StructureShape):
        members = {name.lower(): name for name in shape.members}
        result = {}
        for key, content in value.items():
            name = members.get(key.lower())
            if name is None:
                raise ValueError(f"The local AWS does not support {where}.{key}.")
            result[name] = to_api(content, shape.members[name], f"{where}.{key}")
        return result
    if isinstance(shape, ListShape):
        return [to_api(item, shape.member, where) for item in value]
    if isinstance(shape, MapShape):
        return {key: to_api(item, shape.value, f"{where}.{key}") for key, item in value.items()}
    return _scalar(value, shape.type_name, where)


def _scalar(value: Any, type_name: str, where: str) -> Any:
    if type_name in ("integer", "long"):
        return int(value)
    if type_name == "boolean":
        if str(value).lower() not in ("true", "false"):
            raise ValueError(f"{where} must be true or false, got {value!r}")
        return str(value).lower() == "true"
    if type_name == "string":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value
