"""Two factories in one account: one's name begins with the other's, the worst case for prefixes."""

import re
from collections.abc import Iterator

import pytest

from ml_code.contracts import ENDPOINT_STAGES, resource_prefix
from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import ACCOUNT, EXAMPLE_NAME, REGION, Synthesise, Synthesised
from tests.stacks.wildcards import ON_EVERYTHING, items

PAIR = ("digits", "digits-eu")


def physical_names(factory: Synthesised) -> Iterator[tuple[str, str]]:
    for found in factory.resources.values():
        properties = found["Properties"]
        for key in ("AlarmName", "BucketName", "DashboardName", "FunctionName", "LogGroupName", "Name"):
            if isinstance(name := properties.get(key), str):
                yield found["Type"], name
        for key in ("PipelineName", "RepositoryName", "TopicName"):
            if isinstance(name := properties.get(key), str):
                yield found["Type"], name


def arns(factory: str) -> list[str]:
    """What one factory has, in the ways in which roles of the other could reach it."""
    regional, prefix = f"{REGION}:{ACCOUNT}", resource_prefix(factory, EXAMPLE_NAME)
    found = [
        f"arn:aws:s3:::{factory}-{bucket}-{ACCOUNT}-{REGION}{key}"
        for bucket in ("data", "artifacts", "delivery")
        for key in (
            "",
            f"/raw/{EXAMPLE_NAME}/x.csv",
            f"/{prefix}/Source/x",
            f"/serving/staging/{EXAMPLE_NAME}/x",
        )
    ]
    for stage in ENDPOINT_STAGES:
        found += [
            f"arn:aws:sagemaker:{regional}:{kind}"
            for kind in (
                f"endpoint/{prefix}-{stage}",
                f"endpoint-config/{prefix}-{stage}-v1-abc",
                f"model/{prefix}-{stage}-v1-abc",
            )
        ]
        found.append(f"arn:aws:codebuild:{regional}:project/{prefix}-deploy-{stage}")
        found.append(
            f"arn:aws:logs:{regional}:log-group:/aws/sagemaker/Endpoints/{prefix}-{stage}:log-stream:x"
        )
    return [
        *found,
        f"arn:aws:sagemaker:{regional}:pipeline/{prefix}",
        f"arn:aws:sagemaker:{regional}:pipeline/{prefix}/execution/abc",
        f"arn:aws:codepipeline:{regional}:{prefix}",
        f"arn:aws:codebuild:{regional}:project/{prefix}-build",
        f"arn:aws:codecommit:{regional}:{factory}",
        f"arn:aws:lambda:{regional}:function:{factory}-teardown",
        f"arn:aws:logs:{regional}:log-group:/aws/codebuild/{prefix}-build:log-stream:x",
        f"arn:aws:sns:{regional}:{factory}-notifications",
    ]


def matches(pattern: str, arn: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), arn) is not None


def test_no_two_resources_share_a_name(synthesise: Synthesise) -> None:
    first, second = (set(physical_names(synthesise(CONFIGURATIONS[name]))) for name in PAIR)
    assert len(first) == len(second) > 20
    assert not first & second


@pytest.mark.parametrize(("owner", "other"), [PAIR, PAIR[::-1]])
def test_no_role_reaches_what_the_other_factory_has(synthesise: Synthesise, owner: str, other: str) -> None:
    statements = list(synthesise(CONFIGURATIONS[owner]).statements())
    reached = [
        (policy, statement["Sid"], arn)
        for policy, statement in statements
        if statement.get("Sid") not in ON_EVERYTHING
        for pattern in items(statement["Resource"])
        for arn in arns(other)
        if matches(pattern, arn)
    ]
    assert reached == []
    # The patterns do match what is the owner's own.
    patterns = [pattern for _, statement in statements for pattern in items(statement["Resource"])]
    unreached = [arn for arn in arns(owner) if not any(matches(pattern, arn) for pattern in patterns)]
    assert all(":sns:" in arn or ":lambda:" in arn or "/x" in arn for arn in unreached), unreached


def test_what_a_destroy_removes_by_a_pattern_has_the_factory_s_tag(synthesise: Synthesise) -> None:
    """`digits` looks for `digits-digits-batch-*`, which a factory `digits-digits-batch` would have, too."""
    regional = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
    neighbours = [
        f"{regional}:model/digits-digits-batch-production-v1-abc",
        f"{regional}:transform-job/digits-digits-batch-batch-v1-abc",
        f"{regional}:processing-job/pipelines-abc",
        f"{regional}:hyper-parameter-tuning-job/abc",
        f"{regional}:model-package-group/digits-batch",
    ]
    seen = set()
    for policy, statement in synthesise(CONFIGURATIONS["digits"]).statements():
        actions = [action for action in items(statement["Action"]) if re.search(":(Delete|Stop)", action)]
        reached = [arn for arn in neighbours for each in items(statement["Resource"]) if matches(each, arn)]
        if "Teardown" in policy and actions and reached:
            seen.update(reached)
            condition = statement.get("Condition", {}).get("StringEquals")
            assert condition == {"aws:ResourceTag/model-factory": "digits"}, statement
    assert seen == set(neighbours)


def test_a_factory_named_like_a_prefix_keeps_what_lies_under_it(synthesise: Synthesise) -> None:
    """CodePipeline writes under its pipeline's name: nothing of it may lie, or expire, where MLflow writes."""
    factory = synthesise(CONFIGURATIONS["named-mlflow"])
    store = factory.only("AWS::CodePipeline::Pipeline")["Properties"]["ArtifactStore"]["Location"]
    mlflow = factory.only("AWS::SageMaker::MlflowApp")["Properties"]["ArtifactStoreUri"]
    assert mlflow == f"s3://mlflow-artifacts-{ACCOUNT}-{REGION}/mlflow"
    assert store not in mlflow
    for bucket in factory.every("AWS::S3::Bucket").values():
        if bucket["Properties"]["BucketName"] in mlflow:
            rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
            expiring = [rule.get("Prefix", "") for rule in rules if "ExpirationInDays" in rule]
            assert not [prefix for prefix in expiring if "mlflow/".startswith(prefix)]
