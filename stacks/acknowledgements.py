"""Acknowledges findings of cdk-nag's AwsSolutions, each on one construct with its reason.

The tests run cdk-nag; a synth only records the reasons, so it need not import it.
"""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, *findings: str, reason: str) -> None:
    """`findings` as cdk-nag names them: AwsSolutions-S1, AwsSolutions-IAM5[Resource::*]."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=f"AwsSolutions::{finding}", reason=reason) for finding in findings)
    )


def acknowledge_patterns(
    role: IConstruct, actions: Sequence[str], resources: Sequence[str], reason: str
) -> None:
    """The patterns in a statement of the role's."""
    texts = [f"Action::{action}" for action in actions]
    texts += [f"Resource::{_flat(resource)}" for resource in Stack.of(role).resolve(list(resources))]
    findings = [f"AwsSolutions-IAM5[{text}]" for text in texts if "*" in text]
    acknowledge(role, *findings, reason=reason)


def _flat(resource: Any) -> str:
    """A resource as cdk-nag writes it."""
    if isinstance(resource, str):
        return resource
    ((function, argument),) = resource.items()
    if function == "Ref":
        return f"<{argument}>"
    if function == "Fn::GetAtt":
        return f"<{'.'.join(argument)}>"
    if function == "Fn::Join":
        return str(argument[0]).join(_flat(part) for part in argument[1])
    raise NotImplementedError(f"a policy's resource with {function}")
