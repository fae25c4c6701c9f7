"""Attacks of one model's roles on another model of the same factory."""

import os

import pytest

from ml_code.contracts import resource_prefix
from tests.security.roles import EVERY_ROLE, Roles, evaluator
from tests.stacks.configurations import DRIFT
from tests.stacks.synthesis import cdk_app, read_assembly, without_account

OWN, OTHER = "churn", "digits"


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> Roles:
    policies, before = evaluator(), dict(os.environ)
    without_account(os.environ)
    outdir = str(tmp_path_factory.mktemp("models"))
    app, stack = cdk_app(DRIFT, outdir, models=(OWN, OTHER))
    app.synth()
    os.environ.clear()
    os.environ.update(before)
    return Roles(read_assembly(outdir, stack), policies)


def accesses(roles: Roles, model: str) -> list[tuple[str, str]]:
    """Accesses to a model that an attacker would try: an action, and its resource."""
    prefix = resource_prefix(roles.factory.name, model)
    objects = [
        roles.data(f"raw/{model}/rows.csv"),
        roles.data(f"batch/{model}/rows.csv"),
        *(
            roles.artifact(key)
            for key in (
                f"code/{model}/c/source.tar.gz",
                f"inputs/{model}/training.json",
                f"runs/{model}/e/test.parquet",
                f"serving/staging/{model}/1/a/model.tar.gz",
                f"serving/production/{model}/1/a/model.tar.gz",
                f"releases/{model}/1.json",
                f"captured/{prefix}-production/AllTraffic/x.jsonl",
                f"monitoring/{prefix}-production/x.json",
            )
        ),
    ]
    endpoints = [roles.of_sagemaker(f"endpoint/{prefix}-{stage}") for stage in ("staging", "production")]
    return [
        *((action, key) for key in objects for action in ("s3:GetObject", "s3:PutObject")),
        *(
            (f"sagemaker:{verb}Endpoint", endpoint)
            for endpoint in endpoints
            for verb in ("Delete", "Update", "Invoke")
        ),
        ("sagemaker:StartPipelineExecution", roles.of_sagemaker(f"pipeline/{prefix}")),
        ("sagemaker:UpdatePipeline", roles.of_sagemaker(f"pipeline/{prefix}")),
    ]


@pytest.mark.parametrize("role", EVERY_ROLE)
def test_a_role_reaches_nothing_of_another_model(roles: Roles, role: str) -> None:
    assert not [attempt for attempt in accesses(roles, OTHER) if roles.may(f"Model{OWN}{role}", *attempt)]


def test_most_attempts_are_rights_of_some_role_of_the_model_itself(roles: Roles) -> None:
    """Or the attempts above would be refused for their spelling."""
    attempts = accesses(roles, OWN)
    allowed = [
        attempt
        for attempt in attempts
        if any(roles.may(f"Model{OWN}{role}", *attempt) for role in EVERY_ROLE)
    ]
    assert len(allowed) > 0.8 * len(attempts), set(attempts) - set(allowed)


@pytest.mark.parametrize("role", EVERY_ROLE)
def test_a_role_is_given_to_jobs_and_endpoints_of_its_own_model_only(roles: Roles, role: str) -> None:
    passed = [
        resource
        for statement in roles.statements(f"Model{OWN}{role}")
        if "iam:PassRole" in statement["Action"]
        for resource in (
            [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        )
    ]
    assert not [resource for resource in passed if f"Model{OTHER}" in resource]


def test_what_starts_deliveries_reads_no_data_and_writes_no_code(roles: Roles) -> None:
    refused = [
        ("s3:GetObject", roles.data(f"raw/{OWN}/rows.csv")),
        ("s3:PutObject", roles.artifact(f"inputs/{OWN}/training.json")),
        ("s3:PutObject", roles.artifact(f"code/{OWN}/c/source.tar.gz")),
        ("sagemaker:StartPipelineExecution", roles.of_sagemaker(f"pipeline/{roles.factory.name}-{OWN}")),
        ("codepipeline:PutApprovalResult", approval(roles)),
    ]
    assert not [attempt for attempt in refused if roles.may("DeliveryPushBuild", *attempt)]
    pipeline = approval(roles).partition("/")[0]
    assert roles.may("DeliveryPushBuild", "codepipeline:StartPipelineExecution", pipeline)


def approval(roles: Roles) -> str:
    sagemaker = roles.of_sagemaker("")
    pipeline = sagemaker.replace(":sagemaker:", ":codepipeline:") + f"{roles.factory.name}-{OWN}"
    return f"{pipeline}/Approval/Approve"
