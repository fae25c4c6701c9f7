"""Filters, order and pages of the List operations."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.utils import parse_to_aware_datetime

from localaws.core.errors import Json, ServiceError

DEFAULT_PAGE_SIZE = 100


def now() -> datetime:
    return datetime.now(UTC)


def page(
    member: str, items: Sequence[Json], request: Json, *, marker: str = "NextToken", size: str = "MaxResults"
) -> Json:
    """One page of a List response; `marker` and `size` are the members by which the API pages."""
    start = _offset(request.get(marker), marker)
    end = start + int(request.get(size, DEFAULT_PAGE_SIZE))
    response: Json = {member: list(items[start:end])}
    if end < len(items):
        response[marker] = str(end)
    return response


def sorted_page(
    request: Json,
    summaries: Sequence[Json],
    *,
    member: str,
    name: str = "",
    status: str = "",
    created: str = "CreationTime",
    descending: bool = True,
) -> Json:
    """One page of the items that match the filters; `name`, `status` and `created` are the summary's members for them."""
    kept = [summary for summary in summaries if _matches(request, summary, name, status, created)]
    key = {"Name": name, "Status": status}.get(request.get("SortBy", ""), created)
    order = request.get("SortOrder")
    kept.sort(
        key=lambda summary: summary[key], reverse=descending if order is None else order == "Descending"
    )
    return page(member, kept, request)


def pick(description: Json, *names: str) -> Json:
    """The members of a description that a summary repeats, where present."""
    return {name: description[name] for name in names if name in description}


def _matches(request: Json, summary: Json, name: str, status: str, created: str) -> bool:
    if "NameContains" in request and request["NameContains"].lower() not in summary[name].lower():
        return False
    if "StatusEquals" in request and summary[status] != request["StatusEquals"]:
        return False
    after = request.get("CreationTimeAfter", request.get("CreatedAfter"))
    before = request.get("CreationTimeBefore", request.get("CreatedBefore"))
    if after is not None and summary[created] <= _time(after):
        return False
    return before is None or summary[created] < _time(before)


def _time(value: Any) -> datetime:
    parsed: datetime = parse_to_aware_datetime(value)
    return parsed


def _offset(token: str | None, name: str) -> int:
    if token is None:
        return 0
    if not token.isdigit():
        raise ServiceError(
            "ValidationException", f"{name} must be one that a former page gave, got {token!r}."
        )
    return int(token)
