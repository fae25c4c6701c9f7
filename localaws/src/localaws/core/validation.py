"""Refusals, by name, of members of a request that the local AWS does not support."""

from collections.abc import Sequence
from typing import Any

from localaws.core.errors import Json, ServiceError


def refuse_members(request: Json, allowed: set[str], operation: str) -> None:
    """Refuse by name the members that the operation has and the local AWS does not support."""
    unsupported = sorted(request.keys() - allowed)
    if unsupported:
        raise ServiceError(
            "ValidationException", f"The local AWS does not support {', '.join(unsupported)} of {operation}."
        )


def refuse_values(values: dict[str, tuple[Any, Sequence[Any]]]) -> None:
    """Refuse by name each member whose value is given and not supported."""
    for member, (value, supported) in values.items():
        if value is not None and value not in supported:
            choices = ", ".join(map(str, supported))
            raise ServiceError(
                "ValidationException", f"The local AWS supports {member} {choices}; got {value!r}."
            )
