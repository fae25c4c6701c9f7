"""The statements of IAM with a wildcard, each with its reason.

{factory} stands for the factory's name, {model} for what the names of its model's resources begin with.
"""

from tests.stacks.synthesis import ACCOUNT, REGION, Synthesised

# Actions.
ACTIONS = {
    f"sagemaker-mlflow:{verb}*": "the API of one tracking server, which grows with MLflow's versions"
    for verb in ("Create", "Finalize", "Get", "List", "Log", "Search", "Set", "Update")
}
# Statements on every resource, by Sid.
ON_EVERYTHING = {
    "LogInToRegistry": "IAM knows no resource for a registry's token",
    "PutMetrics": "IAM knows no resource for metrics; the namespace is a condition",
    "DescribeNetwork": "IAM knows no resource for descriptions",
    "PutQuality": "IAM knows no resource for metrics; the namespace is a condition",
    "FindBatches": "IAM knows no resource for lists of an account",
    "FindEndpoints": "IAM knows no resource for lists of an account",
    "FindPackages": "IAM knows no resource for lists of an account",
    "FindDeployments": "IAM knows no resource for lists of an account",
}
# Resource patterns, without the part that all share.
PATTERNS = {
    "s3:artifacts/assertions/*": "one empty object for each content of the CDK app that passed its tests",
    "s3:artifacts/code/digits/*": "one prefix a commit",
    "s3:artifacts/inputs/digits/*": "one object a model",
    "s3:artifacts/wheels/*": "one archive for each content of the requirements",
    "s3:artifacts/runs/digits/*": "one prefix an execution",
    "s3:artifacts/mlflow/*": "MLflow names the artifacts of its runs",
    "s3:artifacts/serving/batch/digits/*": "one archive a model version that was never released",
    "s3:artifacts/serving/staging/digits/*": "one archive a model version",
    "s3:artifacts/serving/production/digits/*": "one archive a model version",
    "s3:artifacts/releases/digits/*": "one record a release",
    "s3:artifacts/captured/{model}-production/*": "SageMaker names the files of captured requests",
    "s3:artifacts/captured/{model}-production/AllTraffic/*": "SageMaker names the files of captured requests",
    "application-autoscaling:scalable-target/*": "Application Auto Scaling gives ids; the service is a condition",
    "cloudformation:stack/{factory}/*": "CloudFormation adds an id to the stack's name",
    "cloudwatch:alarm:TargetTracking-endpoint/{model}-production/variant/AllTraffic-*": "of scaling policies",
    "cloudwatch:alarm:TargetTracking-endpoint/{model}-staging/variant/AllTraffic-*": "of scaling policies",
    "s3:artifacts/monitoring/{model}-production/*": "one report a window",
    "s3:delivery/*": "CodePipeline names what its actions hand on; teardown empties the bucket",
    "s3:artifacts/*": "teardown empties the bucket",
    "s3:data/batch/digits/*": "the person who scores a file names it",
    "s3:data/raw/digits/*": "the person who brings data names it",
    "s3:data/*": "teardown empties the bucket",
    "sagemaker:pipeline/{model}/execution/*": "SageMaker names executions",
    "sagemaker:pipeline/{model}-monitor/execution/*": "SageMaker names executions",
    "sagemaker:processing-job/pipelines-*": "SageMaker names a pipeline's jobs",
    "sagemaker:hyper-parameter-tuning-job/*": "SageMaker names them by the execution's id, without a prefix",
    "sagemaker:training-job/*": "named after tuning jobs; to describe only",
    "sagemaker:model/{model}-staging-*": "one a deployment",
    "sagemaker:model/{model}-production-*": "one a deployment",
    "sagemaker:model/{model}-batch-*": "one a batch",
    "sagemaker:transform-job/{model}-batch-*": "one a batch",
    "sagemaker:endpoint-config/{model}-staging-*": "one a deployment",
    "sagemaker:endpoint-config/{model}-production-*": "one a deployment",
    "sagemaker:model-package-group/{factory}-*": "groups that a team's own steps made, for teardown",
    "sagemaker:model-package/{factory}/*": "one a version in such a group",
    "sagemaker:model-package/{factory}-*/*": "one a version in such a group",
    "logs:log-group:/aws/sagemaker/ProcessingJobs:*": "a stream a job, in a group of the account's",
    "logs:log-group:/aws/sagemaker/TrainingJobs:*": "a stream a job, in a group of the account's",
    "logs:log-group:/aws/sagemaker/TransformJobs:*": "a stream a job, in a group of the account's",
    "logs:log-group:/aws/codebuild/{model}-build:*": "a stream a build",
    "logs:log-group:/aws/codebuild/{model}-deploy-staging:*": "a stream a build",
    "logs:log-group:/aws/codebuild/{model}-deploy-production:*": "a stream a build",
    "logs:log-group:/aws/lambda/{factory}-teardown:*": "a stream an instance",
    "logs:log-group:/aws/lambda/{model}-model-teardown:*": "a stream an instance",
    "logs:log-group:/aws/ecs/{factory}-mlflow:*": "a stream a task",
    "logs:log-group:/aws/vpc/{factory}-flows:*": "a stream an interface",
    "ec2:network-interface/*": "EC2 names interfaces; the subnets are limited",
    "logs:log-group:/aws/lambda/{model}-new-data:*": "a stream an instance",
    "logs:log-group:/aws/lambda/{model}-monitor:*": "a stream an instance",
    "logs:log-group:/aws/sagemaker/Endpoints/{model}-staging:*": "a stream an instance",
    "logs:log-group:/aws/sagemaker/Endpoints/{model}-production:*": "a stream an instance",
}


def items(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def action_patterns(factory: Synthesised) -> set[str]:
    actions = {action for _, each in factory.statements() for action in items(each["Action"])}
    return {action for action in actions if "*" in action}


def on_everything(factory: Synthesised) -> set[str]:
    """Ids of the statements whose resource is *; those without an id are given as a whole."""
    return {
        statement.get("Sid", f"{policy}: {statement}")
        for policy, statement in factory.statements()
        if "*" in items(statement["Resource"])
    }


def patterns(factory: Synthesised) -> set[str]:
    resources = {resource for _, each in factory.statements() for resource in items(each["Resource"])}
    return {_short(resource, factory) for resource in resources if "*" in resource and resource != "*"}


def _short(resource: str, factory: Synthesised) -> str:
    for name in ("artifacts", "data", "delivery"):
        bucket = f"arn:aws:s3:::{factory.name}-{name}-{ACCOUNT}-{REGION}"
        resource = resource.replace(bucket, f"s3:{name}")
    for service in ("sagemaker", "logs", "ec2", "application-autoscaling", "cloudwatch", "cloudformation"):
        resource = resource.replace(f"arn:aws:{service}:{REGION}:{ACCOUNT}:", f"{service}:")
    # Of keys, endpoints' names alone have the factory's in them; a factory may be called like a prefix.
    ending = "-production/" if resource.startswith("s3:") else ""
    of_model = resource.replace(f"{factory.prefix}{ending}", f"{{model}}{ending}")
    of_factory = resource.replace(f"{factory.name}{ending}", f"{{factory}}{ending}")
    if (
        factory.prefix == factory.name and of_model not in PATTERNS
    ):  # of a model named after the factory alone
        return of_factory
    return of_model.replace(f"{factory.name}{ending}", f"{{factory}}{ending}")
