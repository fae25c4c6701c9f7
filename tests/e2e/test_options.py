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
from mlflow.entities.model_registry import ModelVersion

from ml_code.spec import sample_data
from operations import delivery
from operations.audit import left_of
from operations.factory import deployed_factory, mlflow_client
from tests.e2e.conftest import NAME, PREFIX, Workspace, invoke, running
from tests.e2e.sample import FOLDER, MODEL, PROJECT, sample_rows

pytestmark = pytest.mark.e2e
NEIGHBOUR = f"{NAME}-eu"
REPOSITORY = "acme/model"
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
        self.guarded.run(
            "git", "push", "--quiet", str(self.provider / REPOSITORY), f"HEAD:refs/heads/{branch}"
        )
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
        guarded.run("git", "push", "--quiet", str(provider / REPOSITORY), "HEAD:refs/heads/main")
        guarded.cdk("bootstrap")
        guarded.deploy()
        deployment = subprocess.Popen(
            ["cdk", "deploy", "--require-approval", "never", "--no-notices"],
            cwd=beside.directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Factories(guarded, beside, provider, deployment)
        finally:
            deployment.terminate()
            deployment.wait()


@pytest.fixture(scope="module")
def pending(factories: Factories) -> delivery.StageResult:
    """The end of the first delivery's Source, while the connection waits for a person."""
    first = executions()[0]["pipelineExecutionId"]
    source: delivery.StageResult = eventually("end of Source", lambda: finished(first, "Source"))
    return source


@pytest.fixture(scope="module")
def pushed(factories: Factories, pending: delivery.StageResult) -> dict[str, Any]:
    """The delivery of the last of three pushes through the connection, ended."""
    factories.guarded.local_aws("connect", NAME, str(factories.provider))
    factories.push("docs/architecture.md")
    factories.push(f"{FOLDER}/model.yaml", branch="feature")
    # Brings the other branch's commit to main, with its change of the model.
    factories.push("docs/operations.md")
    execution: dict[str, Any] = eventually("delivery", lambda: executions()[1:])[0]
    identifier = execution["pipelineExecutionId"]
    status = delivery.follow(PREFIX, identifier, approve_as="test", timeout_seconds=600)
    assert status == "Succeeded", delivery.stage_results(PREFIX, identifier)
    assert len(executions()) == 2, "the other pushes delivered, too"
    return execution


@pytest.fixture(scope="module")
def new_data(pushed: dict[str, Any]) -> str:
    """The delivery that a hundred files started, its Build ended."""
    before = len(executions())
    put_rows(f"raw/{MODEL}/2026/", files=100)
    identifier: str = eventually("run", lambda: executions()[before:])[0]["pipelineExecutionId"]
    build = eventually("end of Build", lambda: finished(identifier, "Build"), seconds=300)
    assert build.status == "Succeeded", build
    assert len(executions()) == before + 1
    return identifier


@pytest.fixture(scope="module")
def neighbour(factories: Factories) -> Workspace:
    """The second factory, deployed."""
    output, _ = factories.deployment_beside.communicate(timeout=300)
    assert factories.deployment_beside.returncode == 0, output
    return factories.beside


def test_a_pending_connection_says_what_a_person_has_to_do(pending: delivery.StageResult) -> None:
    assert pending.status == "Failed"
    assert all(words in pending.summary for words in ("[GitHub] Connection", "its status is PENDING"))


def test_a_push_of_the_branch_and_path_delivers_and_others_do_not(
    factories: Factories, pushed: dict[str, Any]
) -> None:
    assert pushed["trigger"]["triggerType"] == "WebhookV2"
    stages = delivery.stage_results(PREFIX, pushed["pipelineExecutionId"])
    assert [stage.name for stage in stages] == ["Source", "Build", "Staging", "Approval", "Production"]
    answer = invoke()
    assert answer["model_version"] == "1"
    assert answer["commit"] == factories.guarded.run("git", "rev-parse", "HEAD").strip()
    assert version("1").tags["trigger_reason"] == "push"


@pytest.mark.usefixtures("pushed")
def test_what_is_kept_is_under_the_factorys_key() -> None:
    key = boto3.client("kms").describe_key(KeyId=f"alias/{NAME}")["KeyMetadata"]["Arn"]
    s3 = boto3.client("s3")
    for output, prefix in {"DataBucketName": "raw/", "ArtifactBucketName": "serving/"}.items():
        bucket = deployed_factory().output(output)
        found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"][0]["Key"]
        assert s3.head_object(Bucket=bucket, Key=found)["SSEKMSKeyId"] == key
    sagemaker = boto3.client("sagemaker")
    summaries = sagemaker.list_training_jobs()["TrainingJobSummaries"]
    assert summaries
    for summary in summaries:
        job = sagemaker.describe_training_job(TrainingJobName=summary["TrainingJobName"])
        assert job["OutputDataConfig"]["KmsKeyId"] == job["ResourceConfig"]["VolumeKmsKeyId"] == key


@pytest.mark.usefixtures("neighbour")
def test_the_neighbour_starts_by_its_schedule() -> None:
    scheduled = eventually(
        "execution by schedule",
        lambda: [
            each
            for each in executions(f"{NEIGHBOUR}-{MODEL}")
            if each["trigger"]["triggerType"] == "CloudWatchEvent"
        ],
    )
    assert (
        variables(scheduled[0]["pipelineExecutionId"], f"{NEIGHBOUR}-{MODEL}")["TriggerReason"]
        == "schedule rate(1 minute)"
    )


def test_a_hundred_files_make_one_run_that_says_why(new_data: str) -> None:
    assert variables(new_data)["TriggerReason"] == "new data"
    trained = version("2")
    run = mlflow_client(deployed_factory()).get_run(str(trained.run_id))
    parent = mlflow_client(deployed_factory()).get_run(run.data.tags["mlflow.parentRunId"])
    assert trained.tags["trigger_reason"] == parent.data.tags["trigger_reason"] == "new data"


@pytest.mark.usefixtures("pushed")
def test_a_protected_factory_is_not_destroyed(factories: Factories) -> None:
    refused = factories.guarded.cdk("destroy", "--force", "--app", "cdk.out", check=False)
    assert "TerminationProtection is enabled" in refused
    assert invoke()["model_version"] == "1"


@pytest.mark.usefixtures("new_data")
def test_a_run_by_hand_has_its_reason_and_its_data(factories: Factories) -> None:
    identifier = run_by_hand(factories)
    assert variables(identifier) == {"TriggerReason": "new labels", "DataPrefix": f"raw/{MODEL}/2026/"}
    assert training_parameters()["DataUri"].endswith(f"/raw/{MODEL}/2026/")


@pytest.mark.last
@pytest.mark.usefixtures("pushed")
def test_destroying_the_neighbour_leaves_the_first_intact(neighbour: Workspace) -> None:
    assert left_of(NEIGHBOUR)
    eventually(
        "build",
        lambda: [
            each for each in builds(f"{NEIGHBOUR}-{MODEL}-build") if each["buildStatus"] == "IN_PROGRESS"
        ],
    )
    # The first one's delivery goes on and replaces what is behind staging.
    mine = {line for line in left_of(NAME) if not line.startswith(("endpoint config ", "model "))}
    assert not {line for line in mine if NEIGHBOUR in line}
    with answering() as failures:
        neighbour.cdk("destroy", "--force")
    assert failures == []
    assert left_of(NEIGHBOUR) == []
    assert mine <= set(left_of(NAME))
    vpcs = boto3.client("ec2").describe_vpcs()["Vpcs"]
    assert [vpc["IsDefault"] for vpc in vpcs] == [True]


@pytest.mark.last
@pytest.mark.usefixtures("new_data")
def test_destroyed_amid_a_run_production_keeps_its_data_and_nothing_else(factories: Factories) -> None:
    if not training_jobs():
        run_by_hand(factories)
    key = boto3.client("kms").describe_key(KeyId=f"alias/{NAME}")["KeyMetadata"]["Arn"]
    names = [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    buckets = [name for name in names if name.startswith(NAME) and not name.startswith(NEIGHBOUR)]
    boto3.client("cloudformation").update_termination_protection(
        StackName=NAME, EnableTerminationProtection=False
    )
    factories.guarded.cdk("destroy", "--force", "--app", "cdk.out")
    left = left_of(NAME)
    role = next(line for line in left if line.startswith(f"role {NAME}-TrackingRole"))
    kept = [f"bucket {bucket}" for bucket in buckets]
    assert sorted(left) == sorted([*kept, f"MLflow App {NAME}", role, f"tagged {key}"])
    data = f"{NAME}-data-123456789012-us-east-1"
    assert boto3.client("s3").list_objects_v2(Bucket=data)["KeyCount"] == 100 + len(sample_data(PROJECT))
    assert training_jobs() == []


def run_by_hand(factories: Factories) -> str:
    """Start a delivery by hand; return its id once it trains."""
    before = len(executions())
    arguments = ("--reason", "new labels", "--data", f"raw/{MODEL}/2026/")
    factories.guarded.run(sys.executable, "-m", "operations.run", *arguments)
    identifier: str = eventually("run", lambda: executions()[before:])[0]["pipelineExecutionId"]
    eventually(
        "training job", lambda: training_parameters()["TriggerReason"] == "new labels" and training_jobs()
    )
    return identifier


def training_jobs() -> list[str]:
    """Those under way."""
    found = boto3.client("sagemaker").list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]
    return [job["TrainingJobName"] for job in found]


def version(number: str) -> ModelVersion:
    return mlflow_client(deployed_factory()).get_model_version(MODEL, number)


def executions(name: str = PREFIX) -> list[dict[str, Any]]:
    """Deliveries, oldest first."""
    answer = boto3.client("codepipeline").list_pipeline_executions(pipelineName=name)
    return [dict(each) for each in reversed(answer["pipelineExecutionSummaries"])]


def variables(execution: str, name: str = PREFIX) -> dict[str, str]:
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
        PipelineName=PREFIX, SortBy="CreationTime", SortOrder="Descending"
    )["PipelineExecutionSummaries"][0]
    found = sagemaker.list_pipeline_parameters_for_execution(
        PipelineExecutionArn=newest["PipelineExecutionArn"]
    )
    return {each["Name"]: each["Value"] for each in found["PipelineParameters"]}


def finished(execution: str, stage: str) -> delivery.StageResult | None:
    results = {result.name: result for result in delivery.stage_results(PREFIX, execution)}
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
