"""A synthesised template in readable form."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aws_cdk import App

from ml_code.spec import ModelSpec, load_spec
from stacks.model_factory_stack import ModelFactoryStack
from stacks.settings.context import read_config
from stacks.settings.factory import FactoryConfig

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLE_MODEL = PROJECT / "tests/example_model.yaml"
EXAMPLE_NAME = load_spec(EXAMPLE_MODEL).name
ACCOUNT = "123456789012"
REGION = "eu-central-1"
_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")


@dataclass(frozen=True)
class Synthesised:
    """A template with its references replaced by readable text, and the folder of its assets.

    `prefix` begins the names of the resources of its only model.
    """

    name: str
    prefix: str
    resources: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Any]
    directory: Path
    is_protected: bool

    def of_type(self, type_: str) -> dict[str, Mapping[str, Any]]:
        return {key: found for key, found in self.resources.items() if found["Type"] == type_}

    def every(self, type_: str) -> dict[str, Mapping[str, Any]]:
        """Of a test that looks at each: there is one at least."""
        found = self.of_type(type_)
        assert found, f"{self.name} has no {type_}"
        return found

    def only(self, type_: str) -> Mapping[str, Any]:
        (found,) = self.of_type(type_).values()
        return found

    def statements(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every statement of every role's policies, with the id of the policy."""
        assert self.of_type("AWS::IAM::Policy"), f"{self.name} has no policy"
        for key, found in self.resources.items():
            properties = found.get("Properties", {})
            documents = [properties["PolicyDocument"]] if found["Type"] in _POLICIES else []
            if found["Type"] == "AWS::IAM::Role":
                documents += [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            for document in documents:
                for statement in document["Statement"]:
                    yield key, statement


Synthesise = Callable[..., Synthesised]


def cdk_app(
    settings: Mapping[str, Any],
    outdir: str,
    models: Sequence[str] = (EXAMPLE_NAME,),
    own: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[App, ModelFactoryStack]:
    """The app as cdk.json has it, with other settings, and models that are all like the example.

    `own` are the settings of single models, by name.
    """
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    app = App(analytics_reporting=False, context=context, outdir=outdir)
    stack = ModelFactoryStack(
        app,
        config=configured(settings),
        specs=[
            spec_for(settings).model_copy(update={"name": name, "factory": (own or {}).get(name, {})})
            for name in models
        ],
        project_files=project_files(),
        account=None,
        region=REGION,
    )
    return app, stack


def spec_for(settings: Mapping[str, Any]) -> ModelSpec:
    """The example; of several training instances one that these can train together."""
    spec = load_spec(EXAMPLE_MODEL)
    if settings.get("compute.training.instance_count", 1) == 1:
        return spec
    return spec.model_copy(update={"estimator": "xgboost.XGBClassifier", "scaler": None})


def configured(settings: Mapping[str, Any]) -> FactoryConfig:
    """The settings by their paths, such as `network.type`, as the command line has them."""
    return read_config({f"factory.{path}": value for path, value in settings.items()})


@cache
def project_files() -> Mapping[str, Path]:
    """With new files that are to be added, without what git ignores. The source of a build is no clone."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    with TemporaryDirectory() as folder:
        if not (PROJECT / ".git").exists():
            subprocess.run(["git", "init", "--quiet", "--bare", folder], check=True)
            command[1:1] = [f"--git-dir={folder}", f"--work-tree={PROJECT}"]
        listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name]
    return {name: PROJECT / name for name in names if (PROJECT / name).is_file()}


def read_assembly(outdir: str, stack: ModelFactoryStack) -> Synthesised:
    """Logical ids come without that of the only model's construct."""
    directory = Path(outdir)
    text = (directory / f"{stack.stack_name}.template.json").read_text()
    if len(stack.models) == 1:
        text = text.replace(f"Model{EXAMPLE_NAME}", "")
    template = json.loads(text)
    return Synthesised(
        name=stack.stack_name,
        prefix=stack.models[0].context.names.prefix,
        resources=render(template["Resources"], template["Resources"]),
        outputs=render(template["Outputs"], template["Resources"]),
        directory=directory,
        is_protected=bool(stack.termination_protection),
    )


def without_account(environment: MutableMapping[str, str]) -> None:
    """A synth must need no account: neither credentials nor a region are there to be found."""
    credentials = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
    for name in (*credentials, "AWS_DEFAULT_REGION", "AWS_REGION"):
        environment.pop(name, None)
    environment["AWS_EC2_METADATA_DISABLED"] = "true"


def environment(factory: Synthesised, project: str) -> dict[str, str]:
    """The variables of a CodeBuild project."""
    (found,) = (
        each["Properties"]
        for each in factory.of_type("AWS::CodeBuild::Project").values()
        if each["Properties"]["Name"] == project
    )
    return {item["Name"]: item["Value"] for item in found["Environment"]["EnvironmentVariables"]}


def render(value: Any, resources: Mapping[str, Any]) -> Any:
    """Replace CloudFormation's references by what they would give, as far as a template can tell."""
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
    if value.keys() == {"Fn::Sub"}:
        return re.sub(r"\$\{([\w:]+)\}", lambda match: _reference(match[1], resources), value["Fn::Sub"])
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
