"""Which service may assume a role, and for which account: no other account makes a service use the factory's roles."""

import pytest

from tests.security.roles import MakeRoles
from tests.stacks.synthesis import ACCOUNT

OWN, FOREIGN = {"aws:SourceAccount": [ACCOUNT]}, {"aws:SourceAccount": ["666666666666"]}
# Which are documented to say for which account they assume a role; SageMaker's MLflow is not.
LIMITED = {
    f"{service}.amazonaws.com"
    for service in ("codebuild", "ecs-tasks", "sagemaker", "scheduler", "vpc-flow-logs")
}
UNLIMITED_ROLES = ("TrackingRole",)


@pytest.mark.parametrize("configuration", ["default", "key-drift"])
def test_a_service_assumes_a_role_for_this_account_only(roles: MakeRoles, configuration: str) -> None:
    found = roles(configuration)
    tried = set()
    for id_, role in found.factory.every("AWS::IAM::Role").items():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        service = statement["Principal"]["Service"]
        is_limited = service in LIMITED and not id_.startswith(UNLIMITED_ROLES)
        assert found.trusts(id_, service, OWN), id_
        assert found.trusts(id_, service, FOREIGN) is not is_limited, id_
        # A service that does not say it must not be asked.
        assert found.trusts(id_, service, {}) is not is_limited, id_
        tried.add(service)
    assert {"codebuild.amazonaws.com", "sagemaker.amazonaws.com", "lambda.amazonaws.com"} <= tried


def test_no_other_service_assumes_a_role(roles: MakeRoles) -> None:
    found = roles("default")
    for id_ in found.factory.every("AWS::IAM::Role"):
        assert not found.trusts(id_, "ec2.amazonaws.com", OWN)
