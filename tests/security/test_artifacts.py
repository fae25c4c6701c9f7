"""Who writes what a release needs, and that nobody overwrites or deletes it."""

import json

import pytest

from ml_code.contracts import WRITE_ONCE_PREFIXES
from tests.security.roles import BUILD, DEPLOY_PRODUCTION, DEPLOY_STAGING, EVERY_ROLE, MakeRoles, Roles

WRITERS = {
    "code/digits/c/source.tar.gz": BUILD,
    "wheels/x/wheels.tar": BUILD,
    "serving/staging/digits/1/a/model.tar.gz": DEPLOY_STAGING,
    "serving/production/digits/1/a/model.tar.gz": DEPLOY_PRODUCTION,
    "releases/digits/2026.json": DEPLOY_PRODUCTION,
    # A push that renames its model gets no prefix by that, and no other model's.
    "serving/production/other/1/a/model.tar.gz": None,
    "serving/staging/other/1/a/model.tar.gz": None,
    "releases/other/2026.json": None,
}
ONCE = {"s3:if-none-match": ["*"], "s3:ObjectCreationOperation": ["true"]}


@pytest.mark.parametrize(("key", "writer"), WRITERS.items())
def test_one_role_writes_each_prefix(roles: MakeRoles, key: str, writer: str | None) -> None:
    found = roles("key-drift")
    writing = {role for role in EVERY_ROLE if found.may(role, "s3:PutObject", found.artifact(key), ONCE)}
    assert writing == ({writer} if writer else set())


@pytest.mark.parametrize("action", ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutBucketPolicy"])
def test_no_role_of_the_delivery_deletes_there(roles: MakeRoles, action: str) -> None:
    found = roles("key-drift")
    for key in WRITERS:
        assert not [role for role in EVERY_ROLE if found.may(role, action, found.artifact(key))]
    bucket = found.artifact("").rstrip("/")
    assert not [role for role in EVERY_ROLE if found.may(role, action, bucket)]


def bucket_denies(found: Roles, key: str, context: dict[str, list[str]]) -> bool:
    """Decided for a caller whose own policies allow everything."""
    (document,) = (
        each["Properties"]["PolicyDocument"]
        for each in found.factory.of_type("AWS::S3::BucketPolicy").values()
        if "-artifacts-" in each["Properties"]["Bucket"]
    )
    request = found.policies.Request(
        "s3:PutObject",
        found.artifact(key),
        {name.lower(): values for name, values in {"aws:SecureTransport": ["true"], **context}.items()},
        principals=frozenset({"arn:aws:iam::123456789012:user/administrator"}),
    )
    return found.policies.decide([json.dumps(document)], request) is found.policies.Decision.DENIED


@pytest.mark.parametrize("prefix", WRITE_ONCE_PREFIXES)
def test_the_bucket_takes_no_write_that_could_replace_an_object(roles: MakeRoles, prefix: str) -> None:
    found = roles("default")
    plain = {"s3:ObjectCreationOperation": ["true"]}  # a put or a copy without the header
    assert bucket_denies(found, f"{prefix}x", plain)
    assert bucket_denies(found, f"{prefix}x", {**plain, "s3:if-match": ['"etag"']})
    assert not bucket_denies(found, f"{prefix}x", ONCE)
    assert not bucket_denies(found, f"{prefix}x", {"s3:ObjectCreationOperation": ["false"]}), "a part"
    assert not bucket_denies(found, "runs/x", plain)


def test_only_production_s_deployment_writes_records_and_only_readers_read_them(roles: MakeRoles) -> None:
    found = roles("default")
    key = found.artifact("releases/digits/2026.json")
    everyone = [role for role in EVERY_ROLE if not role.startswith("Drift")]
    readers = {role for role in everyone if found.may(role, "s3:GetObject", key)}
    assert readers == {DEPLOY_STAGING, DEPLOY_PRODUCTION}


def test_a_build_of_a_push_reaches_nothing_beyond_training(roles: MakeRoles) -> None:
    found = roles("default")
    endpoint = found.of_sagemaker(f"endpoint/{found.factory.prefix}-production")
    for action in ("CreateEndpoint", "UpdateEndpoint", "DeleteEndpoint", "InvokeEndpoint"):
        assert not found.may(BUILD, f"sagemaker:{action}", endpoint)
    for action, kind in (
        ("CreateModel", "model"),
        ("CreateEndpointConfig", "endpoint-config"),
        ("CreateTrainingJob", "training-job"),
        ("CreateProcessingJob", "processing-job"),
    ):
        resource = found.of_sagemaker(f"{kind}/{found.factory.prefix}-x")
        assert not found.may(BUILD, f"sagemaker:{action}", resource)
    assert not found.may(BUILD, "codepipeline:PutApprovalResult", "*")
    assert not found.may(BUILD, "sagemaker-mlflow:SetRegisteredModelAlias", "*")
