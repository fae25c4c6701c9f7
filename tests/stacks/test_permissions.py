from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.stacks.synthesis import ACCOUNT, REGION, Synthesised

# Statements on every resource, by Sid.
ON_EVERYTHING = {
    "LogInToRegistry": "IAM knows no resource for a registry's token",
    "PutMetrics": "IAM knows no resource for metrics; the namespace is a condition",
    "FindDeployments": "IAM knows no resource for lists of an account",
}
# Resource patterns, without the part that all share.
PATTERNS = {
    "s3:artifacts/code/*": "one prefix a commit",
    "s3:artifacts/wheels/*": "one archive for each content of the requirements",
    "s3:artifacts/runs/*": "one prefix an execution",
    "s3:artifacts/mlflow/*": "MLflow names the artifacts of its runs",
    "s3:artifacts/serving/*": "one archive a model version",
    "s3:artifacts/model-factory/*": "CodePipeline names what its actions hand on",
    "s3:artifacts/*": "teardown empties the bucket",
    "s3:data/raw/*": "whoever brings data names it",
    "s3:data/*": "teardown empties the bucket",
    "sagemaker:pipeline/model-factory/execution/*": "SageMaker names executions",
    "sagemaker:processing-job/pipelines-*": "SageMaker names a pipeline's jobs",
    "sagemaker:hyper-parameter-tuning-job/*": "SageMaker names them by the execution's id, without a prefix",
    "sagemaker:training-job/*": "named after tuning jobs; to describe only",
    "sagemaker:model/model-factory-staging-*": "one a deployment",
    "sagemaker:model/model-factory-production-*": "one a deployment",
    "sagemaker:endpoint-config/model-factory-staging-*": "one a deployment",
    "sagemaker:endpoint-config/model-factory-production-*": "one a deployment",
    "logs:log-group:/aws/sagemaker/ProcessingJobs:*": "a stream a job, in a group of the account's",
    "logs:log-group:/aws/sagemaker/TrainingJobs:*": "a stream a job, in a group of the account's",
    "logs:log-group:/aws/codebuild/model-factory-build:*": "a stream a build",
    "logs:log-group:/aws/codebuild/model-factory-deploy-staging:*": "a stream a build",
    "logs:log-group:/aws/codebuild/model-factory-deploy-production:*": "a stream a build",
    "logs:log-group:/aws/lambda/model-factory-teardown:*": "a stream an instance",
    "logs:log-group:/aws/sagemaker/Endpoints/model-factory-staging:*": "a stream an instance",
    "logs:log-group:/aws/sagemaker/Endpoints/model-factory-production:*": "a stream an instance",
}


def items(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def short(resource: str) -> str:
    for name in ("artifacts", "data"):
        resource = resource.replace(f"arn:aws:s3:::model-factory-{name}-{ACCOUNT}-{REGION}", f"s3:{name}")
    for service in ("sagemaker", "logs"):
        resource = resource.replace(f"arn:aws:{service}:{REGION}:{ACCOUNT}:", f"{service}:")
    return resource


def of_role(factory: Synthesised, role: str) -> Iterator[Mapping[str, Any]]:
    for policy, statement in factory.statements():
        if policy.startswith(f"{role}RoleDefaultPolicy"):
            yield statement


def test_no_action_is_a_wildcard(factory: Synthesised) -> None:
    for policy, statement in factory.statements():
        assert not [action for action in items(statement["Action"]) if "*" in action], (policy, statement)


def test_statements_on_everything_are_the_listed_ones(factory: Synthesised) -> None:
    found = {statement["Sid"] for _, statement in factory.statements() if "*" in items(statement["Resource"])}
    assert found == ON_EVERYTHING.keys()


def test_resource_patterns_are_the_listed_ones(factory: Synthesised) -> None:
    resources = {resource for _, each in factory.statements() for resource in items(each["Resource"])}
    assert {
        short(resource) for resource in resources if "*" in resource and resource != "*"
    } == PATTERNS.keys()


def test_metrics_are_limited_to_a_namespace(factory: Synthesised) -> None:
    for _, statement in factory.statements():
        if "cloudwatch:PutMetricData" in items(statement["Action"]):
            assert statement["Condition"]["StringEquals"]["cloudwatch:namespace"]


def test_every_pass_role_names_one_role_and_its_service(factory: Synthesised) -> None:
    found = [each for _, each in factory.statements() if "iam:PassRole" in items(each["Action"])]
    assert (
        len(found) == 4
    )  # by the pipeline: the jobs' role; by a build: the pipeline's; by two: the endpoints'
    for statement in found:
        assert statement["Resource"].startswith(f"arn:aws:iam::{ACCOUNT}:role/")
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_no_role_has_a_managed_policy(factory: Synthesised) -> None:
    for role in factory.of_type("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]


def test_statement_ids_are_unique_within_a_policy_as_iam_demands(factory: Synthesised) -> None:
    counts = Counter((policy, each["Sid"]) for policy, each in factory.statements() if "Sid" in each)
    assert not [found for found, count in counts.items() if count > 1]


def test_a_deployment_touches_nothing_of_the_other_stage(factory: Synthesised) -> None:
    for stage, other in (("staging", "production"), ("production", "staging")):
        for statement in of_role(factory, f"DeliveryDeploy{stage}"):
            assert not [found for found in items(statement["Resource"]) if f"model-factory-{other}" in found]


def test_endpoints_read_models_and_write_nothing_but_logs(factory: Synthesised) -> None:
    actions = {action for each in of_role(factory, "Serving") for action in items(each["Action"])}
    assert {action for action in actions if action.startswith(("s3:Put", "sagemaker:"))} == set()


def test_only_teardown_and_mlflow_delete_objects(factory: Synthesised) -> None:
    found = {policy for policy, each in factory.statements() if "s3:DeleteObject" in items(each["Action"])}
    assert {policy.split("Role")[0] for policy in found} == {"Teardown", "Tracking"}
