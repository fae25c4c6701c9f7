"""CDK's bootstrap of the account: found by its qualifier, created if there is none, never changed.

Somebody may have given it a qualifier, a permissions boundary or policies of their own, which another `cdk bootstrap`
would take away.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from operations import assembly
from operations.account import Account, say_account
from operations.assembly import Assembly
from operations.errors import OperationError, is_denied, run
from operations.factory import PROJECT

_PARAMETERS = "/cdk-bootstrap"
_DEFAULT_STACK = "CDKToolkit"
QUALIFIER_KEY = "@aws-cdk/core:bootstrapQualifier"


@dataclass(frozen=True)
class Bootstrap:
    qualifier: str
    version: int
    toolkit_stack: str = ""
    """The stack that `cdk bootstrap` made; empty when the bootstrap came another way."""
    permissions_boundary: str = ""

    def __str__(self) -> str:
        stack = f", stack {self.toolkit_stack}" if self.toolkit_stack else ""
        boundary = f", permissions boundary {self.permissions_boundary}" if self.permissions_boundary else ""
        return f"version {self.version}, qualifier {self.qualifier}{stack}{boundary}"


class ForeignBootstrapError(OperationError):
    """The account has a bootstrap that the app cannot use unchanged."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found} {remedy}")
        self.found, self.remedy = found, remedy


def find(wanted: Assembly) -> Bootstrap | None:
    """The bootstrap that the app will use; None when the account has none at all.

    Raises ForeignBootstrapError when there is another one, or an older one than the app needs.
    """
    bootstraps = {each.qualifier: each for each in _bootstraps()}
    found = bootstraps.get(wanted.qualifier)
    if found is None and not bootstraps:
        _require_no_toolkit_stack()
        return None
    if found is None:
        raise _foreign(wanted.qualifier, [*bootstraps.values()])
    if found.version < wanted.required_bootstrap_version:
        raise ForeignBootstrapError(
            f"The bootstrap is too old: {found}; the app needs version {wanted.required_bootstrap_version}.",
            "Let its owner update it, with the options that it was made with (cdk bootstrap --qualifier "
            f"{found.qualifier} --toolkit-stack-name {found.toolkit_stack or _DEFAULT_STACK} …): make deploy does "
            "not change a bootstrap.",
        )
    return found


def _bootstraps() -> Iterator[Bootstrap]:
    """The account's bootstraps, by the parameters with which the CDK command finds them, and their stacks' options."""
    stacks = {each.qualifier: each for each in _toolkit_stacks()}
    pages = (
        boto3.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=_PARAMETERS, Recursive=True)
    )
    for page in pages:
        for parameter in page["Parameters"]:
            qualifier, _, key = parameter["Name"].removeprefix(f"{_PARAMETERS}/").partition("/")
            if key == "version":
                stack = stacks.get(qualifier, Bootstrap(qualifier, 0))
                yield Bootstrap(
                    qualifier, int(parameter["Value"]), stack.toolkit_stack, stack.permissions_boundary
                )


def _toolkit_stacks() -> Iterator[Bootstrap]:
    for page in boto3.client("cloudformation").get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
            given = {
                each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", [])
            }
            if "BootstrapVersion" in outputs and "Qualifier" in given:
                yield Bootstrap(
                    given["Qualifier"],
                    int(outputs["BootstrapVersion"]),
                    stack["StackName"],
                    given.get("InputPermissionsBoundary", ""),
                )


def _foreign(qualifier: str, others: list[Bootstrap]) -> ForeignBootstrapError:
    first = others[0]
    toolkit = f' and "toolkitStackName": "{first.toolkit_stack}" beside it' if first.toolkit_stack else ""
    return ForeignBootstrapError(
        f"The app uses the qualifier {qualifier}, the account is bootstrapped with another: "
        f"{'; '.join(map(str, others))}.",
        f'In cdk.json, put "{QUALIFIER_KEY}": "{first.qualifier}" under "context"{toolkit}. If a second bootstrap '
        f"is meant: cdk bootstrap --qualifier {qualifier} --toolkit-stack-name {_DEFAULT_STACK}-{qualifier}",
    )


def _require_no_toolkit_stack() -> None:
    """A stack of that name without the parameter is a failed bootstrap, or one of CDK's first version."""
    name = str(json.loads((PROJECT / "cdk.json").read_text()).get("toolkitStackName", _DEFAULT_STACK))
    try:
        stacks: list[Any] = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return
    status = stacks[0]["StackStatus"]
    if status != "REVIEW_IN_PROGRESS":
        raise ForeignBootstrapError(
            f"Stack {name} is {status} and has no version below {_PARAMETERS}/.",
            f"It is no usable bootstrap: look why in its events; if nobody needs it, aws cloudformation delete-stack "
            f"--stack-name {name}",
        )


def command(account: Account, wanted: Assembly) -> list[str]:
    target = f"aws://{account.id}/{account.region}"
    return ["cdk", "bootstrap", target, "--qualifier", wanted.qualifier, "--no-notices"]


def main() -> None:
    account, wanted = say_account(), assembly.read(assembly.DIRECTORY)
    try:
        found = find(wanted)
    except ClientError as error:
        if not is_denied(error):
            raise
        print(f"Bootstrap: not looked for, so none is made. {error}")
        return
    if found is not None:
        print(f"Bootstrap: {found}")
        return
    # With what is synthesised already in the place of the app, which would be synthesised once more.
    words = [*command(account, wanted), "--app", assembly.DIRECTORY.name]
    print(f"Account {account.id} has no bootstrap in {account.region}: {' '.join(words)}", flush=True)
    os.chdir(PROJECT)
    os.execvp(words[0], words)  # noqa: S606 (Ctrl-C reaches it, and its exit status is this one's)


if __name__ == "__main__":
    run(main)
