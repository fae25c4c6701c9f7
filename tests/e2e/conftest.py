"""A local AWS and a deployed factory for end-to-end tests.

The tests work in a clone of the project, so that their commits and pushes do not touch the checkout.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from ml_code.contracts import Output, resource_prefix
from ml_code.spec import MODEL_YAML, find_model, load_spec
from operations import delivery
from operations.commands import parse_exports
from operations.factory import deployed_factory, factory_name
from operations.failures import failure_lines
from tests.e2e.sample import MODEL, PROJECT, change_model, requests, sample_rows

NAME = factory_name()
# The beginning of the names of the only model's resources, and the name of its pipelines.
PREFIX = resource_prefix(NAME, MODEL)
# Set by `make test-aws`: the tests run against the account that the shell points to, not on a local AWS.
ON_SHELLS_ACCOUNT = os.environ.get("E2E_ACCOUNT") == "shell"
# What the README names beyond a new account's: of transform jobs, of endpoints on instances, of two factories' concurrency.
QUOTAS = {"L-236AE59F": 2, "L-614B09FD": 8, "L-96300102": 40}
# How git signs in to CodeCommit on AWS; the local AWS brings a helper of its own.
CODECOMMIT = {
    "credential.https://git-codecommit.*.amazonaws.com.helper": "!aws codecommit credential-helper $@",
    "credential.https://git-codecommit.*.amazonaws.com.useHttpPath": "true",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Workspace:
    """A clone of the project with the account that it talks to, a local AWS unless the shell's."""

    directory: Path
    port: int = 0
    """Of the local AWS."""
    minute_seconds: float | None = None
    """How long a minute of AWS's waiting takes; None: a minute."""
    executions_seen: set[str] = field(default_factory=set)
    patience: float = 1.0
    """AWS itself takes so many times longer than a local one."""

    def run(self, *command: str, check: bool = True) -> str:
        result = subprocess.run(
            command,
            cwd=self.directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if check and result.returncode:
            pytest.fail(f"`{' '.join(command)}` exited with {result.returncode}:\n{result.stdout[-6000:]}")
        return result.stdout

    def local_aws(self, command: str, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "localaws", command, *arguments)

    def start(self) -> None:
        speed = ("--minute-seconds", str(self.minute_seconds)) if self.minute_seconds else ()
        self.local_aws("up", "--port", str(self.port), *speed)
        os.environ.update(parse_exports(self.local_aws("env")))
        boto3.setup_default_session()
        for code, value in QUOTAS.items():
            boto3.client("service-quotas").request_service_quota_increase(
                ServiceCode="sagemaker", QuotaCode=code, DesiredValue=value
            )

    def cdk(self, *arguments: str, check: bool = True) -> str:
        return self.run("cdk", *arguments, "--no-notices", check=check)

    def deploy(self, *, check: bool = True) -> str:
        return self.cdk("deploy", "--require-approval", "never", check=check)

    def deploy_first(self) -> None:
        """What `make deploy` does to an account that has nothing."""
        self.cdk("synth", "--quiet")
        self.run(sys.executable, "-m", "operations.bootstrap")
        self.cdk("deploy", "--app", "cdk.out", "--require-approval", "never")

    def push(self, message: str) -> str:
        """Commit what was changed in the clone, push it as a person would; return the commit id."""
        self.run("git", "commit", "--quiet", "--all", "--message", message)
        self.run("git", "push", "--quiet", "--force", "local", "HEAD:main")
        return self.run("git", "rev-parse", "HEAD").strip()

    def next_execution(self) -> str:
        """The delivery pipeline's execution that started since this was last asked."""
        execution = delivery.latest_execution_id(
            PREFIX, started_after=self.executions_seen, timeout_seconds=30 * self.patience
        )
        self.executions_seen.add(execution)
        return execution

    def finish(self, execution: str) -> tuple[str, dict[str, delivery.StageResult]]:
        """Follow an execution to its end, approving it; return its status and its stages by name."""
        status = delivery.follow(PREFIX, execution, approve_as="test", timeout_seconds=900 * self.patience)
        return status, {stage.name: stage for stage in delivery.stage_results(PREFIX, execution)}

    def change_model(self, changes: Mapping[str, Any]) -> None:
        """Fields of model.yaml by their paths, such as `gate.threshold`."""
        change_model(self.directory, changes)

    def change_seed(self) -> None:
        """The least change of the model that trains a version of its own."""
        seed = load_spec(find_model(self.directory) / MODEL_YAML).seed
        self.change_model({"seed": seed + 1})

    def append(self, path: str, code: str) -> None:
        """Replace functions of a module by others of the same names, without a look at its source."""
        with (self.directory / path).open("a") as file:
            file.write(code)

    def settle(self) -> None:
        """Stop the deliveries that a failed test left under way: the next test sees its own only."""
        codepipeline, sagemaker = boto3.client("codepipeline"), boto3.client("sagemaker")
        for summary in codepipeline.list_pipeline_executions(pipelineName=PREFIX)[
            "pipelineExecutionSummaries"
        ]:
            if summary["status"] == "InProgress":
                codepipeline.stop_pipeline_execution(
                    pipelineName=PREFIX, pipelineExecutionId=summary["pipelineExecutionId"], abandon=True
                )
        for execution in pipeline_executions():
            if execution["PipelineExecutionStatus"] == "Executing":
                sagemaker.stop_pipeline_execution(
                    PipelineExecutionArn=execution["PipelineExecutionArn"], ClientRequestToken=uuid4().hex
                )
        self.executions_seen |= delivery.execution_ids(PREFIX)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """The settings by their paths, such as `network.type`."""
        path = self.directory / "cdk.json"
        document = json.loads(path.read_text())
        document["context"].update({f"factory.{name}": value for name, value in settings.items()})
        path.write_text(json.dumps(document, indent=2))

    def skip_build_tests(self) -> None:
        """Leave the build's tests out, where they would only cost time."""
        (self.directory / "tests/model/test_model.py").write_text("def test_nothing() -> None:\n    pass\n")
        self.skip_stack_tests()

    def skip_stack_tests(self) -> None:
        shutil.rmtree(self.directory / "tests/stacks", ignore_errors=True)

    def train_little(self, model: str = "") -> None:
        """For tests to which the quality of the named or only model is not the point."""
        change_model(self.directory, {"tuning.max_jobs": 2, "tuning.max_parallel_jobs": 2}, model)

    def restore(self) -> None:
        """The clone as it was at first, for the next test."""
        self.run("git", "reset", "--quiet", "--hard", "start")


def clone(directory: Path) -> Path:
    """What a newcomer's clone would hold, with the uncommitted changes of the checkout."""
    subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(directory)], check=True)
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.splitlines()
    for name in names:
        if (PROJECT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes((PROJECT / name).read_bytes())
    subprocess.run(["git", "config", "user.name", "Test"], cwd=directory, check=True)
    subprocess.run(["git", "config", "user.email", "test@example.com"], cwd=directory, check=True)
    subprocess.run(["git", "add", "--all"], cwd=directory, check=True)
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "-m", "Start"], cwd=directory, check=True)
    subprocess.run(["git", "tag", "start"], cwd=directory, check=True)
    return directory


@contextmanager
def running(directory: Path, *, minute_seconds: float | None = None) -> Iterator[Workspace]:
    """A clone with a local AWS of its own, up, with nothing deployed; this process is pointed to it meanwhile."""
    pytest.importorskip("localaws.cli", reason="the local AWS is a distribution of its own")
    workspace = Workspace(clone(directory), free_port(), minute_seconds)
    before = dict(os.environ)
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), str(PROJECT / "node_modules" / ".bin"), os.environ["PATH"]]
    )
    try:
        workspace.start()
        yield workspace
    finally:
        workspace.local_aws("down")
        os.environ.clear()
        os.environ.update(before)
        boto3.setup_default_session()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("e2e") / NAME
    if ON_SHELLS_ACCOUNT:
        yield Workspace(clone(folder), patience=12)
        return
    with running(folder) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def factory(workspace: Workspace) -> Workspace:
    """A deployed factory whose first delivery, started by the seeded repository, reached production."""
    workspace.deploy_first()
    for key, value in CODECOMMIT.items():
        workspace.run("git", "config", key, value)
    url = deployed_factory().output(Output.REPOSITORY_CLONE_URL)
    workspace.run("git", "remote", "add", "local", url)
    execution = workspace.next_execution()
    status, _ = workspace.finish(execution)
    assert status == "Succeeded", "\n".join(failure_lines(PREFIX, execution))
    return workspace


@pytest.fixture
def checkout(factory: Workspace) -> Iterator[Workspace]:
    """The shared factory, with the clone reset after the test."""
    yield factory
    factory.settle()
    factory.restore()


def await_first_delivery(pipeline: str) -> None:
    """Follow the delivery that the seeded repository started until it is in production."""
    execution = delivery.latest_execution_id(pipeline)
    status = delivery.follow(pipeline, execution, approve_as="test", timeout_seconds=1200)
    assert status == "Succeeded", "\n".join(failure_lines(pipeline, execution))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what ends a module's factory behind the other tests, in the module's order; the others take any order."""
    modules = list(dict.fromkeys(item.path for item in items))

    def order(item: pytest.Item) -> tuple[int, int]:
        line = item.reportinfo()[1] or 0
        return modules.index(item.path), line if item.get_closest_marker("last") else -1

    items.sort(key=order)


def invoke(stage: str = "production", rows: Sequence[str] = ()) -> dict[str, Any]:
    """The endpoint's answer to lines of CSV, by default to the first row of the sample data."""
    response = boto3.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=f"{PREFIX}-{stage}",
        ContentType="text/csv",
        Accept="application/json",
        Body="\n".join(rows or requests(sample_rows()[:1])),
    )
    answer: dict[str, Any] = json.loads(response["Body"].read())
    return answer


def aws(*arguments: str) -> str:
    return subprocess.run(["aws", *arguments], check=True, text=True, stdout=subprocess.PIPE).stdout


def pipeline_executions() -> list[dict[str, Any]]:
    sagemaker = boto3.client("sagemaker")
    summaries = sagemaker.list_pipeline_executions(PipelineName=PREFIX)["PipelineExecutionSummaries"]
    return sorted(map(dict, summaries), key=lambda summary: summary["StartTime"])


def failed_step(execution_arn: str) -> dict[str, Any]:
    sagemaker = boto3.client("sagemaker")
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution_arn)[
        "PipelineExecutionSteps"
    ]
    return next(dict(step) for step in steps if step["StepStatus"] == "Failed")
