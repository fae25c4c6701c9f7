"""A factory's life while a fifth of all requests is throttled and one in fifty fails, some of them after they acted.

The CDK CLI, builds, jobs, functions and commands alike: all succeed, nothing is made twice, nothing is left.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from ml_code.contracts import RETRIES
from operations import delivery
from operations.audit import left_of
from operations.factory import deployed_factory, mlflow_client
from operations.failures import failure_lines
from tests.e2e.conftest import NAME, PREFIX, Workspace, invoke, pipeline_executions, running
from tests.e2e.sample import FEATURES, MODEL, requests, sample_rows

pytestmark = pytest.mark.e2e
FAULTS = (
    # Answers that are lost: of what makes or deletes something.
    "sagemaker:Create*:0.2:InternalFailure:after",
    "sagemaker:Update*:0.2:InternalFailure:after",
    "sagemaker:Start*:0.2:InternalFailure:after",
    "sagemaker:Delete*:0.2:InternalFailure:after",
    "mlflow:*/runs/create:0.2:InternalFailure:after",
    "mlflow:*/model-versions/create:0.5:InternalFailure:after",
    "codepipeline:PutApprovalResult:0.5:InternalFailure:after",
    "*:*:0.02:InternalFailure",
    "*:*:0.2:Throttling",
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with running(tmp_path_factory.mktemp("faults") / NAME) as workspace:
        workspace.train_little()
        workspace.skip_build_tests()
        workspace.run("git", "commit", "--quiet", "--all", "--message", "Train little")
        os.environ.update(RETRIES)  # as the commands have it, for what this process asks
        boto3.setup_default_session()
        workspace.local_aws("fault", *FAULTS, "--seed", "7")
        yield workspace


def names(operation: str, items: str, name: str) -> list[str]:
    sagemaker: Any = boto3.client("sagemaker")
    return [item[name] for page in sagemaker.get_paginator(operation).paginate() for item in page[items]]


@pytest.fixture(scope="module")
def second(factory: Workspace) -> tuple[str, dict[str, Any]]:
    """The commit of a second delivery, and what production answers after it."""
    factory.change_seed()
    commit = factory.push("Another seed")
    execution = factory.next_execution()
    status, _ = factory.finish(execution)
    assert status == "Succeeded", "\n".join(failure_lines(PREFIX, execution))
    return commit, invoke()


def test_deliveries_make_everything_once(second: tuple[str, dict[str, Any]]) -> None:
    commit, answer = second
    assert (answer["model_version"], answer["commit"]) == ("2", commit)
    assert len(delivery.execution_ids(PREFIX)) == 2
    assert [each["PipelineExecutionStatus"] for each in pipeline_executions()] == ["Succeeded"] * 2
    client = mlflow_client(deployed_factory())
    found = client.search_model_versions(f"name = '{MODEL}'")
    assert sorted(version.version for version in found) == ["1", "2"]
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    jobs = names("list_training_jobs", "TrainingJobSummaries", "TrainingJobName")
    assert (len(runs) - len(children), len(children)) == (2, len(jobs))


@pytest.mark.usefixtures("second")
def test_a_rollback_and_a_batch(factory: Workspace, tmp_path: Path) -> None:
    factory.run(sys.executable, "-m", "operations.rollback")
    assert invoke()["model_version"] == "1"
    (tmp_path / "rows.csv").write_text("\n".join([",".join(FEATURES), *requests(sample_rows()[:100])]))
    command = ("-m", "operations.batch", "--input", str(tmp_path / "rows.csv"), "--output-dir", str(tmp_path))
    assert "100 predictions" in factory.run(sys.executable, *command)
    served = {f"{PREFIX}-staging", f"{PREFIX}-production"}
    assert set(names("list_endpoints", "Endpoints", "EndpointName")) == served
    for kind in ("EndpointConfig", "Model"):
        found = names(f"list_{'endpoint_config' if kind != 'Model' else 'model'}s", f"{kind}s", f"{kind}Name")
        assert len(found) == len(served), found
    assert len(names("list_transform_jobs", "TransformJobSummaries", "TransformJobName")) == 1


@pytest.mark.last
def test_destroy_leaves_nothing(factory: Workspace) -> None:
    factory.cdk("destroy", "--force")
    assert left_of(NAME) == []
