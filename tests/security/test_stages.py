"""An unapproved model in staging reaches nothing of production's."""

import pytest

from tests.security.roles import (
    DEPLOY_PRODUCTION,
    DEPLOY_STAGING,
    DRIFT_JOB,
    ENDPOINT_PRODUCTION,
    ENDPOINT_STAGING,
    MakeRoles,
)

STAGES = {"staging": ENDPOINT_STAGING, "production": ENDPOINT_PRODUCTION}
OTHER = {"staging": "production", "production": "staging"}
SAGEMAKER = {"iam:PassedToService": ["sagemaker.amazonaws.com"]}


@pytest.mark.parametrize("configuration", ["default", "key-drift"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_model_writes_the_log_of_its_own_stage_only(
    roles: MakeRoles, configuration: str, stage: str
) -> None:
    found = roles(configuration)
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        assert found.may(STAGES[stage], action, found.log_stream(stage))
        assert not found.may(STAGES[stage], action, found.log_stream(OTHER[stage]))


def test_a_model_in_staging_forges_no_captured_request(roles: MakeRoles) -> None:
    """Else it could start a training by drift that it made up."""
    found = roles("key-drift")
    captured = found.artifact(f"captured/{found.factory.prefix}-production/AllTraffic/2026/01/01/00/x.jsonl")
    assert found.may(ENDPOINT_PRODUCTION, "s3:PutObject", captured)
    assert not found.may(ENDPOINT_STAGING, "s3:PutObject", captured)
    staged = found.artifact(f"captured/{found.factory.prefix}-staging/AllTraffic/2026/01/01/00/x.jsonl")
    assert not found.may(ENDPOINT_PRODUCTION, "s3:PutObject", staged)
    assert not found.may(ENDPOINT_STAGING, "s3:PutObject", staged), "staging captures nothing"


def test_drift_reads_what_production_was_asked_only(roles: MakeRoles) -> None:
    found = roles("key-drift")
    for stage, may in (("production", True), ("staging", False)):
        key = f"captured/{found.factory.prefix}-{stage}/AllTraffic/2026/01/01/00/x.jsonl"
        assert found.may(DRIFT_JOB, "s3:GetObject", found.artifact(key)) is may


def test_staging_reads_no_archive_of_production_s(roles: MakeRoles) -> None:
    found = roles("default")
    assert not found.may(
        ENDPOINT_STAGING, "s3:GetObject", found.artifact("serving/production/m/1/a/model.tar.gz")
    )


@pytest.mark.parametrize("configuration", ["default", "key-drift"])
def test_a_deployment_passes_the_role_of_its_own_stage_only(roles: MakeRoles, configuration: str) -> None:
    found = roles(configuration)
    for build, stage in ((DEPLOY_STAGING, "staging"), (DEPLOY_PRODUCTION, "production")):
        own, other = (found.arn(found.id(STAGES[each])) for each in (stage, OTHER[stage]))
        assert found.may(build, "iam:PassRole", own, SAGEMAKER)
        assert not found.may(build, "iam:PassRole", other, SAGEMAKER)
