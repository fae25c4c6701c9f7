"""A service checks what a role may do when it is given the role: by then its policies must be attached."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.options.proof import Proof

# Documents that name a role as a principal, and give it nothing to run with.
NAMING = ("AWS::IAM::", "AWS::KMS::Key", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy")


def test_what_uses_a_role_comes_after_the_role_s_policies(proof: Proof) -> None:
    template = proof.factory.directory / f"{proof.factory.name}.template.json"
    assert early_uses(json.loads(template.read_text())["Resources"]) == []


@pytest.mark.parametrize(
    ("depends_on", "expected"), [([], ["Build refers to Role and not to Policy"]), (["Between"], [])]
)
def test_a_use_before_the_policy_is_found(depends_on: list[str], expected: list[str]) -> None:
    role = {"Fn::GetAtt": ["Role", "Arn"]}
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
        "Policy": {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}]}},
        "Other": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyDocument": role, "Roles": []}},
        "Between": {"Type": "AWS::SNS::Topic", "DependsOn": "Policy"},
        "Build": {"Type": "AWS::CodeBuild::Project", "Properties": {"R": role}, "DependsOn": depends_on},
    }
    assert early_uses(resources) == expected


def early_uses(resources: dict[str, Any]) -> list[str]:
    policies: dict[str, set[str]] = {}
    for id_, resource in resources.items():
        if resource["Type"] == "AWS::IAM::Policy":
            for role in references(resource["Properties"]["Roles"]):
                policies.setdefault(role, set()).add(id_)
    before = {id_: set(references(resource)) & resources.keys() for id_, resource in resources.items()}
    return [
        f"{id_} refers to {role} and not to {policy}"
        for id_, resource in resources.items()
        if not resource["Type"].startswith(NAMING)
        for role in sorted(set(references(resource.get("Properties", {}))) & policies.keys())
        for policy in sorted(policies[role] - reachable(before, id_))
    ]


def references(value: Any) -> Iterator[str]:
    """Logical ids in Ref, Fn::GetAtt and DependsOn."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref":
                yield item
            elif key == "Fn::GetAtt":
                yield item[0]
            elif key == "DependsOn":
                yield from [item] if isinstance(item, str) else item
            else:
                yield from references(item)


def reachable(before: dict[str, set[str]], start: str) -> set[str]:
    found, waiting = set[str](), [start]
    while waiting:
        new = before[waiting.pop()] - found
        found |= new
        waiting += new
    return found
