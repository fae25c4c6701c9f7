"""A factory of three models: what a push retrains, what waits, what fails, and what the removal of a model leaves."""

import csv
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import boto3
import pytest

from ml_code.contracts import Output, resource_prefix
from ml_code.jobs.preprocess import read_raw
from ml_code.spec import MODEL_YAML, load_spec
from ml_code.table.text import write_csv
from operations import delivery
from operations.audit import left_of
from operations.factory import deployed_factory, mlflow_client
from tests.e2e.conftest import NAME, Workspace, await_first_delivery, aws, running
from tests.e2e.sample import MODEL, change_model

pytestmark = pytest.mark.e2e
OTHERS = ("diabetes", "flights")
MODELS = tuple(sorted((MODEL, *OTHERS)))
OWN_SETTINGS = {
    "diabetes": {"approval": "automatic", "owners": ["ann@example.com"]},
    "flights": {"retired_data": "delete"},
}
PUSH_PIPELINE = f"{NAME}-push"


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Three deployed models, each of which its first delivery brought to production."""
    with running(tmp_path_factory.mktemp("models") / NAME) as workspace:
        for name in OTHERS:
            shutil.copytree(workspace.directory / "examples" / name, workspace.directory / "models" / name)
        for name in MODELS:
            workspace.train_little(name)
        for name, own in OWN_SETTINGS.items():
            change_model(workspace.directory, {"factory": own}, name)
        workspace.skip_stack_tests()
        workspace.run("git", "add", "--all")
        workspace.run("git", "commit", "--quiet", "--message", "Three models")
        workspace.deploy_first()
        url = deployed_factory().output(Output.REPOSITORY_CLONE_URL)
        workspace.run("git", "remote", "add", "local", url)
        for name in MODELS:
            await_first_delivery(prefix(name))
        yield workspace


def test_three_models_are_in_production_side_by_side(factory: Workspace) -> None:
    endpoints = {each["EndpointName"] for each in boto3.client("sagemaker").list_endpoints()["Endpoints"]}
    assert endpoints == {f"{prefix(name)}-{stage}" for name in MODELS for stage in ("staging", "production")}
    shown = factory.run(sys.executable, "-m", "operations.status")
    assert all(name in shown for name in MODELS)
    assert_says_which(factory, "operations.history")
    assert MODEL in factory.run(sys.executable, "-m", "operations.history", "--model", MODEL)
    assert "Owners of diabetes: ann@example.com" in shown
    assert "automatic" in factory.run(sys.executable, "-m", "operations.history", "--model", "diabetes")


def test_a_push_to_one_model_retrains_that_one(factory: Workspace) -> None:
    before = {name: delivery.execution_ids(prefix(name)) for name in MODELS}
    change_model(factory.directory, {"seed": 71}, "diabetes")
    log = push(factory, "Another seed of one model")
    assert "diabetes: changed folder; started" in log
    assert "flights: nothing of it has changed" in log
    started = [name for name in MODELS if delivery.execution_ids(prefix(name)) - before[name]]
    assert started == ["diabetes"]
    assert finish("diabetes", before["diabetes"]) == "Succeeded"


def test_a_push_to_shared_code_retrains_all_two_at_a_time_and_one_failure_stops_no_other(
    factory: Workspace,
) -> None:
    before = {name: delivery.execution_ids(prefix(name)) for name in MODELS}
    factory.append("ml_code/metrics.py", "\n# Another comment.\n")
    change_model(factory.directory, {"gate.threshold": 0.9999}, "flights")
    log = push(factory, "Shared code, and a gate out of reach")
    assert all(f"{name}: changed" in log for name in MODELS)
    # Nobody approves the digits: they wait, and the others do not.
    waiting = delivery.latest_execution_id(prefix(MODEL), started_after=before[MODEL])
    assert finish("flights", before["flights"]) == "Failed"
    assert finish("diabetes", before["diabetes"]) == "Succeeded"
    assert most_at_once([prefix(name) for name in MODELS]) <= 2
    delivery.follow(prefix(MODEL), waiting, approve_as="test", timeout_seconds=900)
    again = push(factory, "Nothing that a model is made of", touch="README.md")
    assert again.count("nothing of it has changed") == len(MODELS), again


@pytest.mark.parametrize("name", OTHERS)
def test_a_model_of_another_library_is_rolled_back_and_scored_in_batch(
    factory: Workspace, tmp_path: Path, name: str
) -> None:
    """XGBoost and LightGBM, found by a Bayesian search: a batch and the endpoint give the same numbers."""
    threshold = load_spec(factory.directory / "examples" / name / MODEL_YAML).gate.threshold
    before = delivery.execution_ids(prefix(name))
    change_model(factory.directory, {"seed": 72, "gate.threshold": threshold}, name)
    push(factory, f"Another seed of {name}")
    assert finish(name, before) == "Succeeded"
    delivered = scored_alike(factory, name, tmp_path)
    factory.run(sys.executable, "-m", "operations.rollback", "--model", name)
    assert int(scored_alike(factory, name, tmp_path)) < int(delivered)


def scored_alike(workspace: Workspace, name: str, folder: Path) -> str:
    """The version that a batch and the endpoint have both scored with, to the last bit."""
    spec = load_spec(workspace.directory / "examples" / name / MODEL_YAML)
    rows = read_raw(workspace.directory / "examples" / name / "data", spec).head(200)
    body = write_csv(rows[spec.request_schema().names], spec.request_schema())
    (folder / "rows.csv").write_bytes(body)
    batch = ("--model", name, "--input", str(folder / "rows.csv"), "--output-dir", str(folder))
    workspace.run(sys.executable, "-m", "operations.batch", *batch)
    with (folder / "predictions.csv").open() as file:
        found = list(csv.DictReader(file))
    answer = boto3.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=f"{prefix(name)}-production",
        ContentType="text/csv",
        Accept="application/json",
        Body=body,
    )
    online = json.loads(answer["Body"].read())
    assert [row["prediction"] for row in found] == [str(each) for each in online["predictions"]]
    if spec.is_classification:
        assert [float(row["probability"]) for row in found] == [max(row) for row in online["probabilities"]]
    return str(online["model_version"])


@pytest.mark.last
def test_a_model_that_serves_is_not_removed_unless_it_is_retired(factory: Workspace) -> None:
    shutil.move(factory.directory / "models/flights", factory.directory / "flights.away")
    refused = factory.deploy(check=False)
    assert "flights" in refused
    assert "retire" in refused
    shutil.move(factory.directory / "flights.away", factory.directory / "models/flights")
    change_model(factory.directory, {"retire": True}, "flights")
    factory.deploy()
    left = [line for line in left_of(NAME) if prefix("flights") in line]
    assert left == []
    assert [key for key in all_keys() if "/flights/" in key or f"/{prefix('flights')}-" in key] == []
    assert [key for key in all_keys() if "/diabetes/" in key]
    registered = mlflow_client(deployed_factory()).search_registered_models()
    assert {each.name for each in registered} == {MODEL, "diabetes"}
    others = {each["EndpointName"] for each in boto3.client("sagemaker").list_endpoints()["Endpoints"]}
    assert others == {
        f"{prefix(name)}-{stage}" for name in (MODEL, "diabetes") for stage in ("staging", "production")
    }


@pytest.mark.last
def test_destroy_leaves_nothing(factory: Workspace) -> None:
    factory.cdk("destroy", "--force")
    assert left_of(NAME) == []


def all_keys() -> set[str]:
    """Of data and artifacts, old versions too."""
    factory, s3 = deployed_factory(), boto3.client("s3")
    buckets = [factory.output(name) for name in (Output.DATA_BUCKET_NAME, Output.ARTIFACT_BUCKET_NAME)]
    return {
        each["Key"]
        for bucket in buckets
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for each in page.get("Versions", ())
    }


def prefix(model: str) -> str:
    return resource_prefix(NAME, model)


def push(workspace: Workspace, message: str, *, touch: str = "") -> str:
    """Push what was changed; return the log of the build that starts deliveries."""
    if touch:
        workspace.append(touch, "\n")
    seen = delivery.execution_ids(PUSH_PIPELINE)
    workspace.push(message)
    execution = delivery.latest_execution_id(PUSH_PIPELINE, started_after=seen)
    status = delivery.follow(PUSH_PIPELINE, execution, timeout_seconds=600)
    log = aws(
        *("logs", "filter-log-events", "--log-group-name", f"/aws/codebuild/{PUSH_PIPELINE}"),
        *("--query", "events[].message"),
    )
    lines: list[str] = json.loads(log)
    begin = max(number for number, line in enumerate(lines) if "ml_code.execution.push" in line)
    text = "\n".join(lines[begin:])
    assert status == "Succeeded", text
    return text


def finish(model: str, before: set[str]) -> str:
    execution = delivery.latest_execution_id(prefix(model), started_after=before)
    return delivery.follow(prefix(model), execution, approve_as="test", timeout_seconds=1200)


def most_at_once(pipelines: Sequence[str]) -> int:
    """The largest number of SageMaker executions that ran at the same time, of the newest of each pipeline."""
    sagemaker = boto3.client("sagemaker")
    spans = []
    for name in pipelines:
        newest = sagemaker.list_pipeline_executions(
            PipelineName=name, SortBy="CreationTime", SortOrder="Descending"
        )["PipelineExecutionSummaries"][0]
        arn = newest["PipelineExecutionArn"]
        described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        spans.append((described["CreationTime"], described["LastModifiedTime"]))
    return max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans)


def assert_says_which(workspace: Workspace, module: str) -> None:
    said = workspace.run(sys.executable, "-m", module, check=False)
    assert f"MODEL=<one of {', '.join(MODELS)}>" in said
