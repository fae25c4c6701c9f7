"""A synthesised template in readable form."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"
REGION = "eu-central-1"


@dataclass(frozen=True)
class Synthesised:
    """A template with its references replaced by readable text, and the folder of its assets."""

    resources: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Any]
    directory: Path
    is_protected: bool

    def of_type(self, type_: str) -> dict[str, Mapping[str, Any]]:
        return {key: found for key, found in self.resources.items() if found["Type"] == type_}

    def only(self, type_: str) -> Mapping[str, Any]:
        (found,) = self.of_type(type_).values()
        return found

    def statements(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every statement of every role's policies, with the id of the policy."""
        for key, policy in self.of_type("AWS::IAM::Policy").items():
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                yield key, statement


Synthesise = Callable[..., Synthesised]


class FrozenTags(dict[str, str]):
    """Tags that a cached synth can take."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def render(value: Any, resources: Mapping[str, Any]) -> Any:
    """Replaces CloudFormation's references by what they would give, as far as a template can tell."""
    if isinstance(value, list):
        return [render(item, resources) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"}:
        return _reference(value["Ref"], resources)
    if value.keys() == {"Fn::GetAtt"}:
        id_, attribute = value["Fn::GetAtt"]
        return _attribute(id_, attribute, resources)
    if value.keys() == {"Fn::Join"}:
        separator, parts = value["Fn::Join"]
        return separator.join(render(parts, resources))
    return {key: render(item, resources) for key, item in value.items()}


def _reference(id_: str, resources: Mapping[str, Any]) -> str:
    pseudo = {
        "AWS::AccountId": ACCOUNT,
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::URLSuffix": "amazonaws.com",
    }
    if id_ in pseudo:
        return pseudo[id_]
    properties = resources[id_]["Properties"]
    if resources[id_]["Type"] == "AWS::SNS::Topic":
        return f"arn:aws:sns:{REGION}:{ACCOUNT}:{properties['TopicName']}"
    for key in ("BucketName", "LogGroupName", "Name", "PipelineName", "RepositoryName", "FunctionName"):
        if key in properties:
            return str(render(properties[key], resources))
    return id_


def _attribute(id_: str, attribute: str, resources: Mapping[str, Any]) -> str:
    if attribute == "Arn" and resources[id_]["Type"] == "AWS::S3::Bucket":
        return f"arn:aws:s3:::{_reference(id_, resources)}"
    if attribute == "TopicArn" or (attribute == "Arn" and resources[id_]["Type"] == "AWS::SNS::Topic"):
        return _reference(id_, resources)
    if attribute == "Arn" and resources[id_]["Type"] == "AWS::IAM::Role":
        return f"arn:aws:iam::{ACCOUNT}:role/{id_}"
    return f"{id_}.{attribute}"
