"""The tables of permissions against AWS's Service Authorization Reference, as cfn-lint ships it."""

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from localaws.core.request_validation import service_model
from localaws.gateway.permissions import ACTION_PREFIX
from localaws.registry import PERMISSIONS

FOUND = find_spec("cfnlint")


@cache
def reference() -> dict[str, Any]:
    assert FOUND is not None
    assert FOUND.origin is not None
    return dict(json.loads((Path(FOUND.origin).parent / "data/AdditionalSpecs/Policies.json").read_text()))


def kind_of(arn: str) -> str:
    """What follows the account, up to the name; nothing where the name follows at once."""
    return re.split(r"[:/{$]", arn.split(":", 5)[5])[0].removesuffix(".*")


@pytest.mark.skipif(FOUND is None, reason="cfn-lint, which has the reference, is not installed")
@pytest.mark.parametrize("service", sorted(PERMISSIONS.keys()))
def test_operations_ask_for_actions_and_resources_that_aws_has(service: str) -> None:
    rules, known = PERMISSIONS[service], reference()[ACTION_PREFIX.get(service, service)]
    operations = set(service_model(service).operation_names)
    faults = []
    for operation, templates in rules.resources.items():
        if operation.endswith("="):
            continue
        action = known["Actions"].get(rules.actions.get(operation, operation).lower())
        if operation not in operations or action is None:
            faults.append(f"{operation} is no operation, or has no action")
            continue
        formats = [
            arn
            for kind in action.get("Resources") or []
            for arn in known["Resources"].get(kind.rstrip("*").lower(), {}).get("ARNFormats", [])
        ]
        kinds = {kind_of(arn) for arn in formats}
        for template in templates.split(" + "):
            if template.startswith("arn:") and kind_of(template) not in kinds:
                faults.append(f"{operation} asks for {template}, AWS for {formats or '*'}")
            if template == "*" and formats:
                faults.append(f"{operation} asks for *, AWS for {formats}")
    for operation, name in rules.actions.items():
        if name.lower() not in known["Actions"]:
            faults.append(f"{operation}: there is no action {name}")
    assert not faults
