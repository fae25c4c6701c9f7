"""The whole flow under enforced IAM: deploy, push, fail in every way that matters, destroy.

The tests share one factory and need no order: each takes production as it finds it.
"""

import csv
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from mlflow import MlflowClient

from operations.audit import left_of
from operations.factory import deployed_factory, mlflow_client
from tests.e2e.conftest import NAME, PREFIX, Workspace, aws, failed_step, invoke, pipeline_executions
from tests.e2e.sample import FEATURES, MODEL, NUMBER, OUT_OF_REACH, SPEC, requests, sample_rows

pytestmark = pytest.mark.e2e


def registry() -> MlflowClient:
    return mlflow_client(deployed_factory())


def versions() -> list[str]:
    return sorted(version.version for version in registry().search_model_versions(f"name = '{MODEL}'"))


def production_version() -> str:
    return str(registry().get_model_version_by_alias(MODEL, "production").version)


def test_a_bare_deploy_ends_with_a_verified_model_in_production(factory: Workspace) -> None:
    answer = invoke()
    assert answer["model_version"] == production_version()
    version = registry().get_model_version(MODEL, production_version())
    assert answer["run_id"] == version.run_id
    assert answer["commit"] == version.tags["commit"]
    assert SPEC.gate.reached({SPEC.gate.metric: float(version.tags[f"test_{SPEC.gate.metric}"])})


def test_aws_cli_shows_what_it_would_show_on_aws(factory: Workspace) -> None:
    arn = pipeline_executions()[0]["PipelineExecutionArn"]
    steps = json.loads(aws("sagemaker", "list-pipeline-execution-steps", "--pipeline-execution-arn", arn))
    names = {step["StepName"]: step["StepStatus"] for step in steps["PipelineExecutionSteps"]}
    assert names == dict.fromkeys(["Preprocess", "Tune", "Evaluate", "Gate", "Register"], "Succeeded")
    state = json.loads(aws("codepipeline", "get-pipeline-state", "--name", PREFIX))
    stages = {stage["stageName"]: stage["latestExecution"]["status"] for stage in state["stageStates"]}
    assert stages == dict.fromkeys(["Source", "Build", "Staging", "Approval", "Production"], "Succeeded")
    logs = aws("logs", "filter-log-events", "--log-group-name", "/aws/sagemaker/TrainingJobs")
    assert "validation" in logs
    bucket = deployed_factory().output("ArtifactBucketName")
    assert "source.tar.gz" in aws("s3", "ls", "--recursive", f"s3://{bucket}/code/")


def test_a_push_of_a_changed_model_replaces_production(checkout: Workspace) -> None:
    before = versions()
    checkout.skip_build_tests()
    checkout.change_seed()
    commit = checkout.push("Another seed")
    status, stages = checkout.finish(checkout.next_execution())
    assert status == "Succeeded", stages
    answer = invoke()
    assert answer["commit"] == commit
    assert answer["model_version"] == production_version()
    assert [*{*versions()} - {*before}] == [production_version()]


def test_a_batch_gives_each_row_a_prediction_or_a_reason(factory: Workspace, tmp_path: Path) -> None:
    sample = sample_rows()[:1000]
    rows = [sample[number % len(sample)] for number in range(100_000)]
    bad = {number * 2_700 + 1: ("text", "1e999", "nan")[number % 3] for number in range(37)}
    for number, word in bad.items():
        rows[number - 1] = rows[number - 1] | {NUMBER: word}
    (tmp_path / "rows.csv").write_text("\n".join([",".join(FEATURES), *requests(rows)]))
    command = ("-m", "operations.batch", "--input", str(tmp_path / "rows.csv"), "--output-dir", str(tmp_path))
    assert "99,963 predictions" in factory.run(sys.executable, *command)
    predictions = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert len(predictions) == 99_963
    answers = [str(value) for value in invoke(rows=requests(sample))["predictions"]]
    expected = [answers[(int(row["row"]) - 1) % len(sample)] for row in predictions]
    found = [row["prediction"] for row in predictions]
    if SPEC.is_classification:
        assert found == expected
    else:
        assert [*map(float, found)] == pytest.approx([*map(float, expected)])
    reasons = {int(row["row"]): row["reason"] for row in csv.DictReader((tmp_path / "bad_rows.csv").open())}
    assert reasons.keys() == bad.keys()
    assert all(f"'{NUMBER}'" in reasons[number] for number in bad)
    assert left_over_models() == []


def left_over_models() -> list[str]:
    models = boto3.client("sagemaker").list_models(NameContains=f"{PREFIX}-batch-")["Models"]
    return [model["ModelName"] for model in models]


def test_a_push_whose_unit_test_fails_trains_nothing(checkout: Workspace) -> None:
    before = len(pipeline_executions())
    broken = "tests/model/test_a_broken.py"
    (checkout.directory / broken).write_text("def test_broken():\n    assert 1 == 2\n")
    checkout.run("git", "add", broken)
    checkout.push("Break a test")
    status, stages = checkout.finish(checkout.next_execution())
    assert status == "Failed"
    assert list(stages) == ["Source", "Build"]
    assert len(pipeline_executions()) == before
    assert invoke()["model_version"] == production_version()


def test_an_exception_in_training_is_the_reason_of_the_failure(checkout: Workspace) -> None:
    before = production_version()
    path = checkout.directory / "ml_code/jobs/train.py"
    path.write_text(
        f'if __name__ == "__main__":\n    raise RuntimeError("the lens is dirty")\n{path.read_text()}'
    )
    checkout.skip_build_tests()
    checkout.push("Break training")
    status, _ = checkout.finish(checkout.next_execution())
    assert status == "Failed"
    execution = pipeline_executions()[-1]
    assert execution["PipelineExecutionStatus"] == "Failed"
    step = failed_step(execution["PipelineExecutionArn"])
    assert step["StepName"] == "Tune"
    jobs = boto3.client("sagemaker").list_training_jobs(SortBy="CreationTime", SortOrder="Descending")
    newest = jobs["TrainingJobSummaries"][0]["TrainingJobName"]
    # The image's toolkit keeps the script's words to the log (amazon-sagemaker-examples#1740).
    reason = boto3.client("sagemaker").describe_training_job(TrainingJobName=newest)["FailureReason"]
    assert reason.startswith("AlgorithmError: framework error")
    logs = boto3.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    found = logs.filter_log_events(logGroupName=group, logStreamNamePrefix=newest)["events"]
    assert any("the lens is dirty" in event["message"] for event in found)
    assert invoke()["model_version"] == production_version() == before


def test_a_gate_out_of_reach_registers_nothing(checkout: Workspace) -> None:
    before = versions()
    checkout.skip_build_tests()
    checkout.change_model({"gate.threshold": OUT_OF_REACH})
    with subscribed_queue(deployed_factory().output("NotificationTopicArn")) as queue:
        checkout.push("Raise the gate")
        status, stages = checkout.finish(checkout.next_execution())
        training, build = received(queue, 2)
    assert status == "Failed"
    assert list(stages) == ["Source", "Build"]
    step = failed_step(pipeline_executions()[-1]["PipelineExecutionArn"])
    assert step["StepName"] == "GateFailed"
    assert str(OUT_OF_REACH) in step["FailureReason"]
    assert re.search(
        rf"is [\d.]+, version {production_version()} in production has [\d.]+", step["FailureReason"]
    )
    assert versions() == before
    assert invoke()["model_version"] == production_version()
    assert training.startswith('"A training failed in step GateFailed."')
    assert f'"Why: {step["FailureReason"]}"' in training
    assert f'"Execution: {pipeline_executions()[-1]["PipelineExecutionArn"]}"' in training
    region = boto3.session.Session().region_name
    assert f"https://{region}.console.aws.amazon.com/sagemaker/home" in training
    assert build.startswith(f'"Build {PREFIX}-build failed')
    assert "https://" in build


@pytest.mark.last
def test_destroy_leaves_nothing(factory: Workspace) -> None:
    factory.cdk("destroy", "--force")
    assert left_of(NAME) == []


@pytest.mark.last
@pytest.mark.local_aws
def test_killing_the_local_aws_ends_all_its_processes(workspace: Workspace) -> None:
    """Run last: kills the local AWS in the middle of a tuning job."""
    workspace.skip_build_tests()
    workspace.deploy()
    wait_for_training_job()
    server = json.loads((workspace.directory / ".localaws" / "server.json").read_text())
    os.kill(server["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and processes_below(workspace.directory):
        time.sleep(0.2)
    assert processes_below(workspace.directory) == []
    workspace.start()
    assert workspace.local_aws("status")


@contextmanager
def subscribed_queue(topic_arn: str) -> Iterator[str]:
    """The address of a queue that gets what the topic gets."""
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    url: str = sqs.create_queue(QueueName=f"{NAME}-messages")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    subscription = sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    try:
        yield url
    finally:
        sns.unsubscribe(SubscriptionArn=subscription)
        sqs.delete_queue(QueueUrl=url)


def received(queue: str, count: int) -> list[str]:
    """The texts of as many messages, in the order of their sending."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        answer = boto3.client("sqs").receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        found += [json.loads(message["Body"]) for message in answer.get("Messages", [])]
    return [message["Message"] for message in sorted(found, key=lambda message: message["Timestamp"])]


def wait_for_training_job() -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        if boto3.client("sagemaker").list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]:
            return
        time.sleep(0.3)
    pytest.fail("no training job started")


def processes_below(directory: Path) -> list[str]:
    """Command lines of the processes that work in the directory or name it."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            folder = str((process / "cwd").readlink())
        except OSError:
            continue  # it has just ended
        if str(directory) in command or folder.startswith(str(directory)):
            found.append(command)
    return found
