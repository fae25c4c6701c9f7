"""A guarded factory behind a connection, and one of another kind beside it (over 300 lines: both live through one story).

The first: stage=prod, encryption=customer, source=github with paths, new data. The second, whose name begins with
that of the first: MLflow on Fargate in a VPC of its own, a key of its own, a schedule; its build only waits.
"""

import csv
import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from operations import delivery
from operations.audit import left_of
from operations.factory import deployed_factory, mlflow_client
from tests.e2e.conftest import NAME, Workspace, invoke, running
from tests.e2e.sample import FOLDER, MODEL, sample_rows

pytestmark = pytest.mark.e2e
NEIGHBOUR = f"{NAME}-eu"
REPOSITORY = "acme/digits"
GUARDED: dict[str, Any] = {
    "stage": "prod",
    "encryption": "customer",
    "source.type": "github",
    "source.repository": REPOSITORY,
    "triggers.push.paths": ["models/**"],
    "triggers.new_data": True,
    "triggers.new_data.quiet_seconds": 10,
}
BESIDE: dict[str, Any] = {
    "name": NEIGHBOUR,
    "encryption": "customer",
    "mlflow.type": "fargate",
    "network.type": "own",
    "triggers.schedule": "rate(1 minute)",
}


@dataclass
class Factories:
    guarded: Workspace
    beside: Workspace
    provider: Path  # what stands for GitHub
    deployment_beside: "subprocess.Popen[str]"

    def push(self, path: str, branch: str = "main") -> str:
        """Commit a change of one file and push it to the provider; return the commit."""
        file = self.guarded.directory / path
        file.write_text(file.read_text() + "\n# changed\n")
        self.guarded.run("git", "commit", "--quiet", "--all", "--message", f"Change {path}")
        self.guarded.run("git", "push", "--quiet", str(self.provider / REPOSITORY), f"HEAD:{branch}")
        return self.guarded.run("git", "rev-parse", "HEAD").strip()


def eventually(what: str, look: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.5)
    return pytest.fail(f"within {seconds} s there was no {what}")


@pytest.fixture(scope="module")
def factories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factories]:
    """Both are deployed; the first one's connection waits for a person."""
    folder = tmp_path_factory.mktemp("options")
    with running(folder / NAME) as guarded:
        guarded.train_little()
        guarded.skip_build_tests()
        guarded.run("git", "commit", "--quiet", "--all", "--message", "Train little")
        guarded.run("git", "clone", "--quiet", str(guarded.directory), str(folder / NEIGHBOUR))
        beside = Workspace(folder / NEIGHBOUR, guarded.port)
        guarded.configure(GUARDED)
        beside.configure(BESIDE)
        waiting = {"version": 0.2, "phases": {"build": {"commands": ["sleep 600"]}}}
        (beside.directory / "codebuild-buildspec.yml").write_text(yaml.safe_dump(waiting))
        provider = folder / "provider"
        guarded.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(provider / REPOSITORY))
        guarded.run("git", "push", "--quiet", str(provider / REPOSITORY), "HEAD:main")
        guarded.cdk("bootstrap")
        guarded.deploy()
        deployment = subprocess.Popen(
            ["cdk", "deploy", "--require-approval", "never", "--no-notices"],
            cwd=beside.directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        yield Factories(guarded, beside, provider, deployment)


def test_a_pending_connection_says_what_a_person_has_to_do(factories: Factories) -> None:
    first = executions()[0]["pipelineExecutionId"]
    source = eventually("end of Source", lambda: finished(first, "Source"))
    assert source.status == "Failed"
    assert all(words in source.summary for words in ("[GitHub] Connection", "its status is PENDING"))


def test_a_push_of_the_branch_and_path_delivers_and_others_do_not(factories: Factories) -> None:
    factories.guarded.local_aws("connect", NAME, str(factories.provider))
    factories.push("docs/architecture.md")
    factories.push(f"{FOLDER}/model.yaml", branch="feature")
    # Brings the other branch's commit to main, with its change of the model.
    factories.push("docs/operations.md")
    execution = eventually("delivery", lambda: executions()[1:])[0]
    assert execution["trigger"]["triggerType"] == "WebhookV2"
    identifier = execution["pipelineExecutionId"]
    status = delivery.follow(NAME, identifier, approve_as="test", timeout_seconds=600)
    stages = delivery.stage_results(NAME, identifier)
    assert status == "Succeeded", stages
    assert [stage.name for stage in stages] == ["Source", "Build", "Staging", "Approval", "Production"]
    assert len(executions()) == 2, "the other pushes delivered, too"
    answer = invoke()
    assert answer["model_version"] == "1"
    assert answer["commit"] == factories.guarded.run("git", "rev-parse", "HEAD").strip()
    assert training_parameters()["TriggerReason"] == "push"


def test_what_is_kept_is_under_the_factorys_key(factories: Factories) -> None:
    key = boto3.client("kms").describe_key(KeyId=f"alias/{NAME}")["KeyMetadata"]["Arn"]
    s3 = boto3.client("s3")
    for output, prefix in {"DataBucketName": "raw/", "ArtifactBucketName": "serving/"}.items():
        bucket = deployed_factory().output(output)
        found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"][0]["Key"]
        assert s3.head_object(Bucket=bucket, Key=found)["SSEKMSKeyId"] == key
    sagemaker = boto3.client("sagemaker")
    for summary in sagemaker.list_training_jobs()["TrainingJobSummaries"]:
        job = sagemaker.describe_training_job(TrainingJobName=summary["TrainingJobName"])
        assert job["OutputDataConfig"]["KmsKeyId"] == job["ResourceConfig"]["VolumeKmsKeyId"] == key


def test_the_neighbour_starts_by_its_schedule(factories: Factories) -> None:
    output, _ = factories.deployment_beside.communicate(timeout=300)
    assert factories.deployment_beside.returncode == 0, output
    scheduled = eventually(
        "execution by schedule",
        lambda: [
            each for each in executions(NEIGHBOUR) if each["trigger"]["triggerType"] == "CloudWatchEvent"
        ],
    )
    assert (
        variables(scheduled[0]["pipelineExecutionId"], NEIGHBOUR)["TriggerReason"]
        == "schedule rate(1 minute)"
    )


def test_a_hundred_files_make_one_run_that_says_why(factories: Factories) -> None:
    before = len(executions())
    put_rows("raw/2026/", files=100)
    started = eventually("run", lambda: executions()[before:])
    identifier = started[0]["pipelineExecutionId"]
    assert variables(identifier)["TriggerReason"] == "new data"
    build = eventually("end of Build", lambda: finished(identifier, "Build"), seconds=300)
    assert build.status == "Succeeded", build
    assert training_parameters()["TriggerReason"] == "new data"
    client = mlflow_client(deployed_factory())
    version = client.get_model_version(MODEL, "2")
    job_run = client.get_run(str(version.run_id))
    run = client.get_run(job_run.data.tags["mlflow.parentRunId"])
    assert version.tags["trigger_reason"] == run.data.tags["trigger_reason"] == "new data"
    assert len(executions()) == before + 1


def test_destroying_the_neighbour_leaves_the_first_intact(factories: Factories) -> None:
    assert left_of(NEIGHBOUR)
    assert [build["buildStatus"] for build in builds(f"{NEIGHBOUR}-build")] == ["IN_PROGRESS"]
    # The first one's delivery goes on and replaces what is behind staging.
    mine = {line for line in left_of(NAME) if not line.startswith(("endpoint config ", "model "))}
    assert not {line for line in mine if NEIGHBOUR in line}
    with answering() as failures:
        factories.beside.cdk("destroy", "--force")
    assert failures == []
    assert left_of(NEIGHBOUR) == []
    assert mine <= set(left_of(NAME))
    vpcs = boto3.client("ec2").describe_vpcs()["Vpcs"]
    assert [vpc["IsDefault"] for vpc in vpcs] == [True]


def test_a_protected_factory_is_not_destroyed(factories: Factories) -> None:
    refused = factories.guarded.cdk("destroy", "--force", "--app", "cdk.out", check=False)
    assert "TerminationProtection is enabled" in refused
    assert invoke()["model_version"] == "1"
    boto3.client("cloudformation").update_termination_protection(
        StackName=NAME, EnableTerminationProtection=False
    )


def test_a_run_by_hand_has_its_reason_and_its_data(factories: Factories) -> None:
    before = len(executions())
    arguments = ("--reason", "new labels", "--data", "raw/2026/")
    factories.guarded.run(sys.executable, "-m", "operations.run", *arguments)
    identifier = eventually("run", lambda: executions()[before:])[0]["pipelineExecutionId"]
    assert variables(identifier) == {"TriggerReason": "new labels", "DataPrefix": "raw/2026/"}
    eventually(
        "training job",
        lambda: (
            training_parameters()["TriggerReason"] == "new labels"
            and boto3.client("sagemaker").list_training_jobs(StatusEquals="InProgress")[
                "TrainingJobSummaries"
            ]
        ),
    )
    assert training_parameters()["DataUri"].endswith("/raw/2026/")


def test_destroyed_amid_a_run_production_keeps_its_data_and_nothing_else(factories: Factories) -> None:
    key = boto3.client("kms").describe_key(KeyId=f"alias/{NAME}")["KeyMetadata"]["Arn"]
    names = [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    buckets = [name for name in names if name.startswith(NAME)]
    factories.guarded.cdk("destroy", "--force", "--app", "cdk.out")
    left = left_of(NAME)
    role = next(line for line in left if line.startswith(f"role {NAME}-TrackingRole"))
    kept = [f"bucket {bucket}" for bucket in buckets]
    assert sorted(left) == sorted([*kept, f"MLflow App {NAME}", role, f"tagged {key}"])
    data = f"{NAME}-data-123456789012-us-east-1"
    assert boto3.client("s3").list_objects_v2(Bucket=data)["KeyCount"] == 101
    running_jobs = boto3.client("sagemaker").list_training_jobs(StatusEquals="InProgress")
    assert running_jobs["TrainingJobSummaries"] == []


def executions(name: str = NAME) -> list[dict[str, Any]]:
    """Deliveries, oldest first."""
    answer = boto3.client("codepipeline").list_pipeline_executions(pipelineName=name)
    return [dict(each) for each in reversed(answer["pipelineExecutionSummaries"])]


def variables(execution: str, name: str = NAME) -> dict[str, str]:
    found = boto3.client("codepipeline").get_pipeline_execution(
        pipelineName=name, pipelineExecutionId=execution
    )["pipelineExecution"]
    return {each["name"]: each["resolvedValue"] for each in found["variables"]}


def builds(project: str) -> list[dict[str, Any]]:
    codebuild = boto3.client("codebuild")
    ids = codebuild.list_builds_for_project(projectName=project)["ids"]
    return [dict(build) for build in codebuild.batch_get_builds(ids=ids)["builds"]]


def training_parameters() -> dict[str, str]:
    """Of the newest training execution."""
    sagemaker = boto3.client("sagemaker")
    newest = sagemaker.list_pipeline_executions(
        PipelineName=NAME, SortBy="CreationTime", SortOrder="Descending"
    )["PipelineExecutionSummaries"][0]
    found = sagemaker.list_pipeline_parameters_for_execution(
        PipelineExecutionArn=newest["PipelineExecutionArn"]
    )
    return {each["Name"]: each["Value"] for each in found["PipelineParameters"]}


def finished(execution: str, stage: str) -> delivery.StageResult | None:
    results = {result.name: result for result in delivery.stage_results(NAME, execution)}
    result = results.get(stage)
    return result if result and result.status in ("Succeeded", "Failed") else None


def put_rows(prefix: str, *, files: int) -> None:
    """The sample's rows, dealt out to files."""
    rows = sample_rows()
    bucket = boto3.resource("s3").Bucket(deployed_factory().output("DataBucketName"))
    for number in range(files):
        body = io.StringIO()
        writer = csv.DictWriter(body, rows[0])
        writer.writeheader()
        writer.writerows(rows[number::files])
        bucket.put_object(Key=f"{prefix}{number:03}.csv", Body=body.getvalue().encode())


@contextmanager
def answering() -> Iterator[list[str]]:
    """Invoke production all the while; what failed is in the list at the end."""
    failures: list[str] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.wait(0.2):
            try:
                invoke()
            except ClientError as error:
                failures.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield failures
    finally:
        enough.set()
        asking.join()
