"""What would stop the first delivery on a new AWS account: planted, it stops the delivery here, in AWS's words."""

import json
import re
import sys
from collections.abc import Iterator

import boto3
import pytest

from tests.e2e.conftest import NAME, PREFIX, Workspace, aws, failed_step, pipeline_executions, running

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def new_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A factory whose first delivery asked for an instance type that a new account has no quota for."""
    with running(tmp_path_factory.mktemp("first") / "model-factory") as workspace:
        workspace.configure({"compute.preprocess.instance_type": "ml.m5.large"})
        workspace.skip_build_tests()
        workspace.train_little()
        bootstrap_as_acme(workspace)
        workspace.run("git", "commit", "--quiet", "--all", "--message", "Ask for a larger instance")
        workspace.deploy()
        workspace.run("git", "remote", "add", "local", f"http://localhost:{workspace.port}/v1/repos/{NAME}")
        yield workspace


def bootstrap_as_acme(workspace: Workspace) -> None:
    """The account as a platform team hands it over: a qualifier, a stack and a permissions boundary of its own."""
    path = workspace.directory / "cdk.json"
    document = json.loads(path.read_text())
    document["toolkitStackName"] = "AcmeToolkit"
    document["context"]["@aws-cdk/core:bootstrapQualifier"] = "acme"
    path.write_text(json.dumps(document, indent=2))
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    boto3.client("iam").create_policy(PolicyName="acme-boundary", PolicyDocument=policy)
    workspace.cdk("bootstrap", "--custom-permissions-boundary", "acme-boundary")


@pytest.fixture(scope="module")
def first_delivery(new_account: Workspace) -> tuple[str, list[str]]:
    """Its status, and the names of the stages that it reached."""
    status, stages = new_account.finish(new_account.next_execution())
    return status, list(stages)


@pytest.fixture(scope="module")
def fitting(new_account: Workspace, first_delivery: tuple[str, list[str]]) -> Workspace:
    """The same factory with instances that the account may start."""
    new_account.configure({"compute.preprocess.instance_type": "ml.t3.large"})
    new_account.deploy()
    new_account.run("git", "commit", "--quiet", "--all", "--message", "Ask for what the account has")
    new_account.run("git", "tag", "--force", "start")
    return new_account


@pytest.fixture
def checkout(fitting: Workspace) -> Iterator[Workspace]:
    yield fitting
    fitting.settle()
    fitting.restore()


def test_the_doctor_finds_both_and_changes_neither(new_account: Workspace) -> None:
    said = new_account.run(sys.executable, "-m", "operations.doctor", "--json", check=False)
    findings = {finding["check"]: finding for finding in json.loads(said)["findings"]}
    assert findings["SageMaker quotas"]["status"] == "fault"
    assert "ml.m5.large for processing job usage: 0, 1 needed" in findings["SageMaker quotas"]["found"]
    bootstrap = findings["bootstrap"]["found"]
    assert bootstrap.endswith("qualifier acme, stack AcmeToolkit, permissions boundary acme-boundary")
    assert f"Bootstrap: {bootstrap}" in new_account.run(sys.executable, "-m", "operations.bootstrap")
    role = boto3.client("iam").get_role(RoleName="cdk-acme-cfn-exec-role-123456789012-us-east-1")["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(":policy/acme-boundary")


def test_an_instance_type_without_quota_stops_it_at_the_first_job(
    first_delivery: tuple[str, list[str]],
) -> None:
    assert first_delivery == ("Failed", ["Source", "Build"])
    reason = failed_step(pipeline_executions()[0]["PipelineExecutionArn"])["FailureReason"]
    assert "Failed to invoke sagemaker:CreateProcessingJob" in reason
    assert "The account-level service limit 'ml.m5.large for processing job usage' is 0 Instances" in reason


def test_a_bundle_that_leaves_what_the_image_has_too_old_to_it_stops_preprocess(checkout: Workspace) -> None:
    lock = checkout.directory / "requirements-job.lock"
    lock.write_text(re.sub(r"^protobuf==.*\n(    .*\n)+", "", lock.read_text(), flags=re.MULTILINE))
    checkout.push("Leave protobuf to the image")
    status, stages = checkout.finish(checkout.next_execution())
    assert (status, list(stages)) == ("Failed", ["Source", "Build"])
    step = failed_step(pipeline_executions()[-1]["PipelineExecutionArn"])
    assert step["StepName"] == "Preprocess"
    assert "pip cannot install what the job needs: ERROR: " in build_log("build")
    assert "No matching distribution found for protobuf" in build_log("build")


DEFAULT_START = """

_wsgi_container = container


def container(*arguments: str) -> dict[str, Any]:
    found = _wsgi_container(*arguments)
    for name in ("SAGEMAKER_SERVING_MODULE", "SAGEMAKER_USE_NGINX"):
        del found["Environment"][name]
    found["Environment"] |= {"SAGEMAKER_PROGRAM": "handler.py", "SAGEMAKER_SUBMIT_DIRECTORY": CODE}
    return found
"""


@pytest.mark.last
def test_the_image_s_default_start_stops_staging(checkout: Workspace) -> None:
    """Script mode installs the code by pip and writes nginx's configuration, which a serverless container may not."""
    checkout.append("ml_code/inference/container.py", DEFAULT_START)
    checkout.deploy()  # a push changes no deployment
    checkout.push("Serve as the image does by default")
    status, stages = checkout.finish(checkout.next_execution())
    assert (status, list(stages)) == ("Failed", ["Source", "Build", "Staging"])
    assert "did not pass the ping health check" in build_log("deploy-staging")
    assert "factory.staging.type" in build_log("deploy-staging")


def build_log(project: str) -> str:
    return aws(
        *("logs", "filter-log-events", "--log-group-name", f"/aws/codebuild/{PREFIX}-{project}"),
        *("--query", "events[].message", "--output", "text"),
    )
