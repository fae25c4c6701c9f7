"""The output of `cdk synth`: the template, and the bootstrap that the CDK command uses to deploy it."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_code.contracts import TemplateMetadata
from operations.account import Account
from operations.errors import OperationError
from operations.factory import PROJECT

DIRECTORY = PROJECT / "cdk.out"
# Lines of the CDK command that tell nothing of an error.
_NOISE = re.compile(r"^(\s*|\d+ feature flags .*|.*Subprocess exited with error \d+)$")


@dataclass(frozen=True)
class Assembly:
    """The one stack of the app."""

    schema_version: str
    stack_name: str
    template: Mapping[str, Any]
    properties: Mapping[str, Any]
    """The properties of the stack in the manifest."""
    assets: Mapping[str, Any]

    @property
    def resource_types(self) -> frozenset[str]:
        return frozenset(resource["Type"] for resource in self.template["Resources"].values())

    @property
    def quota_needs(self) -> Mapping[str, int]:
        """SageMaker's quotas that the settings use at once, by the quotas' names."""
        needs: Mapping[str, int] = self.template["Metadata"][TemplateMetadata.QUOTA_NEEDS]
        return needs

    @property
    def bootstrap_parameter(self) -> str:
        """The SSM parameter with the version of the bootstrap that the stack is deployed with."""
        return str(self.properties["bootstrapStackVersionSsmParameter"])

    @property
    def qualifier(self) -> str:
        return self.bootstrap_parameter.split("/")[2]

    @property
    def required_bootstrap_version(self) -> int:
        return int(self.properties["requiresBootstrapStackVersion"])

    def role_arns(self, account: Account) -> list[str]:
        """The roles of the bootstrap that the CDK command assumes."""
        destinations = [
            destination
            for asset in self.assets.get("files", {}).values()
            for destination in asset["destinations"].values()
        ]
        found = [self.properties.get("assumeRoleArn"), *(each.get("assumeRoleArn") for each in destinations)]
        values = {
            "${AWS::Partition}": account.partition,
            "${AWS::AccountId}": account.id,
            "${AWS::Region}": account.region,
        }
        return sorted({_replaced(str(arn), values) for arn in found if arn})

    def connection_arns(self) -> Iterator[str]:
        """Connections that exist already: one that the stack makes has no ARN yet."""
        for resource in self.template["Resources"].values():
            if resource["Type"] == "AWS::CodePipeline::Pipeline":
                for stage in resource["Properties"]["Stages"]:
                    for action in stage["Actions"]:
                        arn = action.get("Configuration", {}).get("ConnectionArn")
                        if isinstance(arn, str):
                            yield arn


def _replaced(text: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def synthesise() -> Assembly:
    """Run `cdk synth`; OperationError with what the app or the CDK command says against it."""
    result = subprocess.run(
        ["cdk", "synth", "--quiet", "--no-notices"],
        cwd=PROJECT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode:
        lines = [line.strip() for line in result.stdout.splitlines() if not _NOISE.match(line)]
        raise OperationError(" ".join(lines[-10:]) or f"cdk synth exited with {result.returncode}.")
    return read(DIRECTORY)


def read(directory: Path) -> Assembly:
    """Return the synthesized assembly; OperationError if there is none."""
    manifest_file = directory / "manifest.json"
    if not manifest_file.exists():
        raise OperationError(f"{directory.name}/ has no manifest.json: run `make synth`.")
    manifest = json.loads(manifest_file.read_text())
    ((identifier, stack),) = (
        (key, artifact)
        for key, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    )
    assets = directory / f"{identifier}.assets.json"
    return Assembly(
        schema_version=manifest["version"],
        stack_name=stack["properties"].get("stackName", identifier),
        template=json.loads((directory / stack["properties"]["templateFile"]).read_text()),
        properties=stack["properties"],
        assets=json.loads(assets.read_text()) if assets.exists() else {},
    )
