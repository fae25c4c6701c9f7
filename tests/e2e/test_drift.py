"""Live inputs that drift retrain the model, once, and say why; inputs that do not drift do nothing.

Requests to the endpoint → captured files → the scheduled comparison → its metric → the alarm → a delivery.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ml_code.contracts import INFERENCE_ID
from ml_code.drift.captures import read_captures
from ml_code.drift.compare_window import examine
from ml_code.drift.report import Demands
from ml_code.tracking import runs
from ml_code.verification.test_rows import TEST_DATA
from operations.audit import left_of
from operations.factory import deployed_factory, mlflow_client
from stacks.settings.endpoints import Drift
from tests.e2e.conftest import NAME, PREFIX, Workspace, invoke, running
from tests.e2e.sample import MODEL, SPEC

pytestmark = pytest.mark.e2e

WINDOWS = 20
ROWS = Drift().minimum_rows
BATCH = 50
DEMANDS = Demands(minimum_rows=ROWS, smallest_statistic=Drift().threshold_percent / 100)
SCHEMA = SPEC.request_schema()
NAMES = SCHEMA.names
CAPTURED = f"captured/{PREFIX}-production/AllTraffic/"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A minute takes two seconds, a window six."""
    with running(tmp_path_factory.mktemp("drift") / NAME, minute_seconds=2) as workspace:
        workspace.skip_build_tests()
        workspace.train_little()
        workspace.configure(
            {
                "production.type": "realtime",
                "production.data_capture_percent": 100,
                "production.drift": True,
                "production.drift.window_minutes": 3,
            }
        )
        workspace.run("git", "commit", "--quiet", "--all", "--message", "Watch live inputs")
        yield workspace


def artifact(factory: Workspace, name: str) -> pd.DataFrame:
    """Of the run of the version in production: its columns of features."""
    client = mlflow_client(deployed_factory())
    run_id = str(client.get_model_version_by_alias(MODEL, "production").run_id)
    path = client.download_artifacts(run_id, name, str(factory.directory))
    read = pd.read_parquet if name.endswith(".parquet") else pd.read_csv
    return read(path)[NAMES]


@pytest.fixture(scope="module")
def held_out(factory: Workspace) -> pd.DataFrame:
    """Rows that the model was not fitted on."""
    return artifact(factory, TEST_DATA)


@pytest.fixture(scope="module")
def training(factory: Workspace) -> NDArray[np.float64]:
    return np.asarray(artifact(factory, runs.TRAINING_SAMPLE), np.float64)


def sample(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    return rows.iloc[random.choice(len(rows), BATCH, replace=False)]


def captured_lines() -> list[bytes]:
    """Without those of the verification."""
    bucket = deployed_factory().output("ArtifactBucketName")
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=CAPTURED)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    return [line for body in bodies for line in body.splitlines() if INFERENCE_ID.encode() not in line]


def published() -> list[float]:
    """What the comparisons counted, one value each."""
    metrics = boto3.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": "drifted",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "ModelFactory",
                        "MetricName": "DriftedFeatures",
                        "Dimensions": [{"Name": "EndpointName", "Value": f"{PREFIX}-production"}],
                    },
                    "Period": 1,
                    "Stat": "Maximum",
                },
            }
        ],
        StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
    )
    return [float(value) for value in metrics["MetricDataResults"][0]["Values"]]


def deliveries() -> dict[str, str]:
    """Reason by execution."""
    codepipeline = boto3.client("codepipeline")
    found = {}
    for summary in codepipeline.list_pipeline_executions(pipelineName=PREFIX)["pipelineExecutionSummaries"]:
        identity = summary["pipelineExecutionId"]
        execution = codepipeline.get_pipeline_execution(pipelineName=PREFIX, pipelineExecutionId=identity)
        variables = execution["pipelineExecution"]["variables"]
        found[identity] = next(each["resolvedValue"] for each in variables if each["name"] == "TriggerReason")
    return found


def by_drift() -> list[str]:
    return [reason for reason in deliveries().values() if reason.startswith("drift")]


def trained_because() -> list[str]:
    sagemaker = boto3.client("sagemaker")
    reasons = []
    for summary in sagemaker.list_pipeline_executions(PipelineName=PREFIX)["PipelineExecutionSummaries"]:
        arn = summary["PipelineExecutionArn"]
        parameters = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)[
            "PipelineParameters"
        ]
        reasons += [each["Value"] for each in parameters if each["Name"] == "TriggerReason"]
    return reasons


def wait_for(what: Callable[[], Any], description: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"after {seconds:g} s not yet: {description}"
        time.sleep(0.5)
    return found


@contextmanager
def traffic(batches: Callable[[], pd.DataFrame]) -> Iterator[None]:
    """Some requests a second, of many rows each, until the block is left."""
    ended = threading.Event()
    failures: list[Exception] = []

    def send() -> None:
        while not ended.wait(0.1):
            try:
                invoke(rows=batches().to_csv(index=False, header=False).splitlines())
            except Exception as error:
                failures.append(error)
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not failures


def test_unshifted_inputs_start_no_retraining_in_20_windows(
    factory: Workspace, held_out: pd.DataFrame, training: NDArray[np.float64]
) -> None:
    random = np.random.default_rng(1)
    wanted = WINDOWS * ROWS // BATCH
    with traffic(lambda: sample(held_out, random)):
        wait_for(lambda: len(published()) >= 2, "two comparisons of live inputs")
        lines = wait_for(
            lambda: (found := captured_lines())[wanted:] and found, f"{wanted} captured requests"
        )
    assert set(published()) == {0.0}
    assert by_drift() == []
    # The same captures as twenty windows, by the function that the scheduled job runs.
    requests = len(lines) // WINDOWS
    for number in range(WINDOWS):
        window = lines[number * requests : (number + 1) * requests]
        live = read_captures([("captured", window)], SCHEMA, maximum_rows=10_000)
        assert (live.refused, live.unreadable) == (0, 0)
        comparison = examine(SCHEMA, training, live, DEMANDS)
        assert comparison is not None
        assert comparison.drifted == []


def test_shifted_inputs_start_one_retraining_that_names_the_features(
    factory: Workspace, held_out: pd.DataFrame, training: NDArray[np.float64]
) -> None:
    random = np.random.default_rng(2)
    deviation = training.std(axis=0)
    # Shifted by two deviations, their values must still be within the schema, or the endpoint refuses them.
    largest = [np.inf if column.maximum is None else column.maximum for column in SCHEMA.columns]
    fitting = np.flatnonzero((deviation > 0.1) & (held_out.max().to_numpy() + 2 * deviation <= largest))
    columns = random.choice(fitting, 3, replace=False)
    shift = np.zeros(len(NAMES))
    shift[columns] = 2 * deviation[columns]
    with traffic(lambda: sample(held_out, random) + shift):
        (reason,) = wait_for(by_drift, "a delivery started by drift")
        names = {NAMES[column] for column in columns}
        assert set(reason.removeprefix("drift: ").split(", ")) == names
        wait_for(lambda: reason in trained_because(), "a training that knows the reason")
        assert by_drift() == [reason]
    assert (
        boto3.client("cloudwatch").describe_alarms(AlarmNames=[f"{PREFIX}-drift"])["MetricAlarms"][0][
            "StateValue"
        ]
        == "ALARM"
    )
    experiment = mlflow_client(deployed_factory()).get_experiment_by_name(f"{MODEL}-monitoring")
    assert experiment is not None
    runs = mlflow_client(deployed_factory()).search_runs([experiment.experiment_id])
    results = [run.data.tags["result"] for run in runs]
    assert any("3 features drifted: " in result for result in results), results


@pytest.mark.last
def test_a_destroy_amid_the_retraining_leaves_nothing(factory: Workspace) -> None:
    factory.cdk("destroy", "--force")
    assert left_of(NAME) == []
