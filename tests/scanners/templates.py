"""A configuration's template as the scanners read it, and the IAM documents in it."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import ACCOUNT, REGION, cdk_app, render, without_account

# What `render` leaves as "<logical id>.Arn", by the type of the resource.
_ARNS = {
    "AWS::CloudWatch::Alarm": "cloudwatch:{}:alarm:{}",
    "AWS::CodeBuild::Project": "codebuild:{}:project/{}",
    "AWS::CodeCommit::Repository": "codecommit:{}:{}",
    "AWS::CodeConnections::Connection": "codeconnections:{}:connection/{}",
    "AWS::Events::Rule": "events:{}:rule/{}",
    "AWS::KMS::Key": "kms:{}:key/{}",
    "AWS::Lambda::Function": "lambda:{}:function:{}",
    "AWS::RDS::DBInstance": "secretsmanager:{}:secret:{}",
    "AWS::SageMaker::MlflowApp": "sagemaker:{}:mlflow-app/{}",
    "AWS::SageMaker::MlflowTrackingServer": "sagemaker:{}:mlflow-tracking-server/{}",
}


@dataclass(frozen=True)
class Template:
    configuration: str
    text: str
    paths: Mapping[str, str]
    """Of constructs, without the stack's name, by logical id."""

    def resources(self) -> Mapping[str, Any]:
        return dict(json.loads(self.text)["Resources"])


# A model's constructs are named alike in each model.
_OF_MODEL = re.compile(r"^(Default|Model-[^/]+)/")


def synthesise(configuration: str, outdir: str) -> Template:
    """It runs in a process of a pool."""
    without_account(os.environ)
    app, stack = cdk_app(CONFIGURATIONS[configuration], outdir)
    app.synth()
    metadata = json.loads((Path(outdir) / f"{stack.stack_name}.metadata.json").read_text())
    paths = {
        entry["data"]: _OF_MODEL.sub("", construct.strip("/").partition("/")[2].removesuffix("/Resource"))
        for construct, entries in metadata.items()
        for entry in entries
        if entry["type"] == "aws:cdk:logicalId"
    }
    return Template(configuration, (Path(outdir) / f"{stack.stack_name}.template.json").read_text(), paths)


def iam_documents(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each document with the logical id of its resource: policies of roles, trust policies, policies of resources."""
    resources = template.resources()
    for id_, resource in resources.items():
        for property_, document in _documents("", resource.get("Properties", {})):
            complete = _with_arns(render(document, resources), resources)
            if property_ in ("AssumeRolePolicyDocument", "KeyPolicy"):
                # Their place says which resource they are about; parliament needs to read it.
                own = _with_arns(f"{id_}.Arn", resources)
                complete["Statement"] = [{**each, "Resource": own} for each in complete["Statement"]]
            yield id_, complete


def _documents(name: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, dict):
        if "Statement" in value:
            yield name, value
        else:
            for key, item in value.items():
                yield from _documents(key, item)
    elif isinstance(value, list):
        for item in value:
            yield from _documents(name, item)


def _with_arns(value: Any, resources: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_with_arns(item, resources) for item in value]
    if isinstance(value, dict):
        return {key: _with_arns(item, resources) for key, item in value.items()}
    match = re.match(r"(\w+)\.(?:\w+\.)*\w*Arn\b", str(value))
    if match is None or match[1] not in resources:
        return value
    type_ = resources[match[1]]["Type"]
    if type_ == "AWS::IAM::Role":
        return f"arn:aws:iam::{ACCOUNT}:role/{match[1]}"
    if type_ not in _ARNS:
        raise LookupError(f"{value} is an ARN of {type_}: give its form in _ARNS")
    return f"arn:aws:{_ARNS[type_].format(f'{REGION}:{ACCOUNT}', match[1])}{value[match.end() :]}"
