"""What tests/stacks demands of the default's permissions, of every configuration."""

import pytest

from tests.options.conftest import Proofs
from tests.options.proof import Proof
from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import Synthesised
from tests.stacks.test_permissions import (  # noqa: F401 (pytest finds them here)
    test_a_deployment_touches_nothing_of_the_other_stage,
    test_a_deployment_writes_archives_of_its_own_stage_and_production_alone_writes_records,
    test_action_patterns_are_listed,
    test_endpoints_read_models_and_write_nothing_but_logs_and_captures,
    test_every_pass_role_names_one_role_and_its_service,
    test_metrics_are_limited_to_a_namespace,
    test_no_role_has_a_managed_policy,
    test_resource_patterns_are_listed,
    test_statement_ids_are_unique_within_a_policy_as_iam_demands,
    test_statements_name_actions_that_exist_on_resources_that_they_have,
    test_statements_on_everything_are_listed,
)
from tests.stacks.wildcards import (
    ACTIONS,
    ON_EVERYTHING,
    PATTERNS,
    action_patterns,
    items,
    on_everything,
    patterns,
)


@pytest.fixture
def factory(proof: Proof) -> Synthesised:
    """Of each configuration, for the tests that are imported here."""
    return proof.factory


@pytest.mark.parametrize("source", ["github", "gitlab", "bitbucket"])
def test_the_archive_of_a_connection_is_written_with_an_acl(proofs: Proofs, source: str) -> None:
    """CodePipeline asks for more than it does for a repository of CodeCommit (aws-cdk#13557)."""
    granted = {
        action
        for policy, statement in proofs[source].factory.statements()
        if policy.startswith("DeliveryPipelineRole")
        for action in items(statement["Action"])
    }
    assert granted >= {"s3:PutObjectAcl", "s3:GetBucketAcl", "s3:GetBucketVersioning"}


def test_each_listed_wildcard_is_still_needed(proofs: Proofs) -> None:
    factories = [proofs[name].factory for name in CONFIGURATIONS]
    assert {action for factory in factories for action in action_patterns(factory)} == ACTIONS.keys()
    assert {sid for factory in factories for sid in on_everything(factory)} == ON_EVERYTHING.keys()
    assert {pattern for factory in factories for pattern in patterns(factory)} == PATTERNS.keys()
