"""AWS's Service Authorization Reference, as cfn-lint ships it: which actions there are, and on which resources."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.stacks.wildcards import items


@cache
def reference() -> dict[str, Any]:
    """By service prefix, `Actions` in lower case with the kinds of their resources, and the kinds' ARNs."""
    found = find_spec("cfnlint")
    assert found is not None
    assert found.origin is not None
    data = Path(found.origin).parent / "data/AdditionalSpecs/Policies.json"
    return dict(json.loads(data.read_text()))


def faults(statement: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    """What of a statement never takes effect: unknown actions, resources of a kind that an action does not have."""
    for action in items(statement["Action"]):
        prefix, _, name = action.partition(":")
        service = known.get(prefix, {"Actions": {}})
        pattern = re.escape(name.lower()).replace(r"\*", ".*")
        matching = [each for each in service["Actions"] if re.fullmatch(pattern, each)]
        if not matching:
            yield f"{action} is no action"
        if "*" in name:
            continue
        for each in matching:
            kinds = _first_parts(service, each)
            resources = items(statement["Resource"])
            named = {"*" if resource == "*" else _first_part(resource) for resource in resources}
            # A statement may have several actions, each with resources of its own kind.
            if not ("*" in resources or (kinds and ("*" in kinds | named or kinds & named))):
                yield f"{action} has no resource like {resources}, but {sorted(kinds) or 'only *'}"


def _first_parts(service: Mapping[str, Any], action: str) -> set[str]:
    """How the ARNs of an action's resources begin behind the account."""
    kinds = service["Actions"][action].get("Resources") or []
    arns = [
        arn
        for kind in kinds
        for arn in service["Resources"].get(kind.rstrip("*").lower(), {}).get("ARNFormats", [])
    ]
    return {_first_part(arn.replace("${Partition}", "aws")) for arn in arns}


def _first_part(arn: str) -> str:
    """`*` where a name follows at once, as in the ARNs of buckets and topics, or is not known."""
    if not arn.startswith("arn:"):  # an attribute that only a deployment knows
        return "*"
    account, resource = arn.split(":", 5)[4:]
    first = re.split("[:/]", resource)[0]
    is_kind = (
        re.fullmatch(r"[a-z][a-zA-Z-]*", first) and len(re.split("[:/]", resource)) > 1 and account != ""
    )
    return first if is_kind else "*"
