"""`encryption=customer`: one key for all that the factory keeps."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stacks.settings.errors import SettingError
from tests.stacks.synthesis import ACCOUNT, REGION, Synthesise, Synthesised, configured

VIA_S3 = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}


@pytest.fixture(scope="session")
def encrypted(synthesise: Synthesise) -> Synthesised:
    return synthesise({"encryption": "customer"})


@pytest.fixture(scope="session")
def key_arn(encrypted: Synthesised) -> str:
    (id_,) = encrypted.of_type("AWS::KMS::Key")
    return f"{id_}.Arn"


def key_statements(factory: Synthesised) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of roles, about the key: the role's construct and the statement."""
    for policy, statement in factory.statements():
        if "kms:" in json.dumps(statement["Action"]):
            yield policy.split("RoleDefaultPolicy")[0], dict(statement)


def test_the_default_has_no_key(factory: Synthesised) -> None:
    assert not factory.of_type("AWS::KMS::Key")
    assert not list(key_statements(factory))
    assert "kms" not in json.dumps(factory.resources).lower().replace("aws:kms", "")


def test_the_key_rotates_and_waits_the_shortest_time(encrypted: Synthesised) -> None:
    key = encrypted.only("AWS::KMS::Key")
    assert key["Properties"]["EnableKeyRotation"] is True
    assert key["Properties"]["PendingWindowInDays"] == 7
    assert key["DeletionPolicy"] == "Delete"
    assert encrypted.only("AWS::KMS::Alias")["Properties"]["AliasName"] == "alias/model-factory"


def test_the_key_lets_in_the_account_and_logs_of_the_factory_and_events_and_nobody_else(
    encrypted: Synthesised,
) -> None:
    account, logs, events = encrypted.only("AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"]
    assert events["Principal"] == {"Service": "events.amazonaws.com"}
    assert events["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert account["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert logs["Principal"] == {"Service": f"logs.{REGION}.amazonaws.com"}
    assert "kms:*" not in logs["Action"]
    patterns = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    groups = [
        group["Properties"]["LogGroupName"] for group in encrypted.of_type("AWS::Logs::LogGroup").values()
    ]
    prefix = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"
    for group in groups:
        assert any(f"{prefix}{group}".startswith(pattern.rstrip("*")) for pattern in patterns), group
    for pattern in patterns:
        assert pattern.removeprefix(prefix).endswith("/model-factory-*")


def test_buckets_logs_and_pipeline_artifacts_have_the_key(encrypted: Synthesised, key_arn: str) -> None:
    for bucket in encrypted.every("AWS::S3::Bucket").values():
        (rule,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
        assert rule["BucketKeyEnabled"] is True
    for group in encrypted.every("AWS::Logs::LogGroup").values():
        assert group["Properties"]["KmsKeyId"] == key_arn
    store = encrypted.only("AWS::CodePipeline::Pipeline")["Properties"]["ArtifactStore"]
    assert store["EncryptionKey"] == {"Type": "KMS", "Id": key_arn}


def test_volumes_and_outputs_of_every_job_have_the_key(encrypted: Synthesised, key_arn: str) -> None:
    body = encrypted.only("AWS::SageMaker::Pipeline")["Properties"]["PipelineDefinition"][
        "PipelineDefinitionBody"
    ]
    jobs = list(job_requests(json.loads(body)["Steps"]))
    assert len(jobs) == 4
    for job in jobs:
        cluster = job.get("ProcessingResources", {}).get("ClusterConfig") or job["ResourceConfig"]
        output = job.get("ProcessingOutputConfig") or job["OutputDataConfig"]
        assert (cluster["VolumeKmsKeyId"], output["KmsKeyId"]) == (key_arn, key_arn)


def job_requests(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        arguments = step["Arguments"]
        yield from job_requests([*arguments.get("IfSteps", []), *arguments.get("ElseSteps", [])])
        if step["Type"] in ("Processing", "Tuning"):
            yield arguments.get("TrainingJobDefinition", arguments)


def test_roles_use_the_key_through_s3_only(encrypted: Synthesised, key_arn: str) -> None:
    found: dict[str, set[str]] = {}
    for role, statement in key_statements(encrypted):
        assert statement["Resource"] == key_arn
        if statement["Sid"] in ("DecryptObjects", "EncryptObjects"):
            assert statement["Condition"] == VIA_S3
            found.setdefault(role, set()).add(statement["Sid"])
    readers, writers = {"DecryptObjects"}, {"DecryptObjects", "EncryptObjects"}
    assert found == {
        "Batch": writers,
        "DeliveryBuild": writers,
        "DeliveryDeployproduction": writers,
        "DeliveryDeploystaging": writers,
        "DeliveryPipeline": writers,
        "Serving": readers,
        "ServingStaging": readers,
        "Tracking": writers,
        "TrainingJob": writers,
        "TrainingPipeline": readers,
    }


def test_only_jobs_let_the_key_out_and_only_to_aws(encrypted: Synthesised) -> None:
    grants = [(role, each) for role, each in key_statements(encrypted) if "kms:CreateGrant" in each["Action"]]
    assert {role for role, _ in grants} == {"Batch", "TrainingJob"}
    for _, statement in grants:
        assert statement["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def test_prod_keeps_the_key_of_the_data_that_it_keeps(synthesise: Synthesise) -> None:
    factory = synthesise({"encryption": "customer", "stage": "prod"})
    assert factory.only("AWS::KMS::Key")["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize("value", ["ml.m5d.large", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.p4d.24xlarge"])
def test_a_type_with_local_disks_is_refused(value: str) -> None:
    with pytest.raises(SettingError, match=f"{value}.*allowed is with encryption customer a type without"):
        configured({"encryption": "customer", "compute.training.instance_type": value})
    configured({"compute.training.instance_type": value})


@pytest.mark.parametrize("value", ["ml.m5.large", "ml.c5n.2xlarge", "ml.r5.large", "ml.p3.2xlarge"])
def test_a_type_without_local_disks_takes_the_key(value: str) -> None:
    configured({"encryption": "customer", "compute.training.instance_type": value})
