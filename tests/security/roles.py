"""The roles of a synthesised template, and what each may do, decided by the local AWS's evaluation of policies."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from tests.stacks.authorization_reference import faults, reference
from tests.stacks.synthesis import ACCOUNT, REGION, Synthesised

Context = Mapping[str, Sequence[str]]
# Roles by the ids of their constructs.
BUILD = "DeliveryBuild"
DEPLOY_PRODUCTION, DEPLOY_STAGING = "DeliveryDeployproduction", "DeliveryDeploystaging"
ENDPOINT_PRODUCTION, ENDPOINT_STAGING = "Serving", "ServingStaging"
JOBS, PIPELINE = "TrainingJob", "TrainingPipeline"
DRIFT_JOB, DRIFT_PIPELINE = "DriftPipelineJob", "DriftPipelinePipeline"
BATCH = "Batch"
DELIVERY = "DeliveryPipeline"
# Of a factory with drift monitoring; teardown's and MLflow's are of services that no push reaches.
EVERY_ROLE = (
    BATCH,
    BUILD,
    DELIVERY,
    DEPLOY_PRODUCTION,
    DEPLOY_STAGING,
    DRIFT_JOB,
    DRIFT_PIPELINE,
    ENDPOINT_PRODUCTION,
    ENDPOINT_STAGING,
    JOBS,
    PIPELINE,
)


@dataclass(frozen=True)
class Roles:
    factory: Synthesised
    policies: ModuleType
    """localaws.services.iam.policies"""

    def may(self, role: str, action: str, resource: str, context: Context | None = None) -> bool:
        """`context` has condition keys as the service authorization reference writes them."""
        _check(action, resource)
        request = self.policies.Request(action, resource, _lower_case(context or {}))
        documents = [json.dumps({"Statement": list(self.statements(role))})]
        return self.policies.decide(documents, request) is self.policies.Decision.ALLOWED

    def trusts(self, role_id: str, service: str, context: Context) -> bool:
        """Whether the trust policy lets the service assume the role of this logical id."""
        trust = self.factory.resources[role_id]["Properties"]["AssumeRolePolicyDocument"]
        request = self.policies.Request(
            "sts:AssumeRole", self.arn(role_id), _lower_case(context), principals=frozenset({service})
        )
        return self.policies.decide([json.dumps(trust)], request) is self.policies.Decision.ALLOWED

    def statements(self, role: str) -> Iterator[Mapping[str, Any]]:
        found = [
            each for id_, each in self.factory.statements() if id_.startswith(f"{role}RoleDefaultPolicy")
        ]
        assert found, f"no role {role} in {sorted({id_ for id_, _ in self.factory.statements()})}"
        yield from found

    def id(self, role: str) -> str:
        """The logical id, which ends with a hash."""
        (found,) = (
            id_
            for id_ in self.factory.of_type("AWS::IAM::Role")
            if id_.startswith(f"{role}Role") and len(id_) == len(role) + 12
        )
        return found

    def arn(self, role_id: str) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/{role_id}"

    def artifact(self, key: str) -> str:
        return f"arn:aws:s3:::{self.factory.name}-artifacts-{ACCOUNT}-{REGION}/{key}"

    def data(self, key: str) -> str:
        return f"arn:aws:s3:::{self.factory.name}-data-{ACCOUNT}-{REGION}/{key}"

    def of_sagemaker(self, path: str) -> str:
        return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{path}"

    def log_stream(self, stage: str) -> str:
        group = f"/aws/sagemaker/Endpoints/{self.factory.prefix}-{stage}"
        return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:AllTraffic/i-1"


MakeRoles = Callable[[str], Roles]


def evaluator() -> ModuleType:
    module: ModuleType = pytest.importorskip(
        "localaws.services.iam.policies", reason="the local AWS is a distribution of its own"
    )
    return module


def _check(action: str, resource: str) -> None:
    """A misspelt action, or a resource of another kind, would be forbidden to everyone."""
    wrong = [*faults({"Action": action, "Resource": resource}, reference())]
    assert not wrong, wrong


def _lower_case(context: Context) -> dict[str, list[str]]:
    return {key.lower(): list(values) for key, values in context.items()}
