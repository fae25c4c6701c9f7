"""Live inputs that drift retrain the model, once, and say why; inputs that do not drift do nothing.

Requests to the endpoint → captured files → the scheduled comparison → its metric → the alarm → a delivery.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ml_code.contracts import INFERENCE_ID, Output, resource_prefix
from ml_code.drift.captures import read_captures
from ml_code.drift.compare_window import examine
from ml_code.drift.report import Demands
from ml_code.spec import MODEL_YAML, load_spec
from ml_code.table.frames import encode
from ml_code.table.text import write_csv
from ml_code.tracking import runs
from ml_code.verification.test_rows import TEST_DATA, parse_test_rows
from operations.audit import left_of
from operations.factory import deployed_factory, mlflow_client
from stacks.settings.endpoints import Drift
from tests.e2e.conftest import NAME, Workspace, await_first_delivery, running
from tests.e2e.sample import FOLDER, PROJECT

pytestmark = pytest.mark.e2e

# Numbers, categories, dates and gaps.
MODEL = "flights"
EXAMPLE = PROJECT / "examples" / MODEL
SPEC = load_spec(EXAMPLE / MODEL_YAML)
PREFIX = resource_prefix(NAME, MODEL)
WINDOWS = 20
ROWS = Drift().minimum_rows
BATCH = 50
DEMANDS = Demands(minimum_rows=ROWS, smallest_statistic=Drift().threshold_percent / 100)
SCHEMA = SPEC.request_schema()
NAMES = SCHEMA.names
CAPTURED = f"captured/{PREFIX}-production/AllTraffic/"


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The example alone, in production. A minute takes two seconds, a window six."""
    with running(tmp_path_factory.mktemp("drift") / NAME, minute_seconds=2) as workspace:
        shutil.rmtree(workspace.directory / FOLDER)
        shutil.copytree(EXAMPLE, workspace.directory / "models" / MODEL)
        workspace.train_little(MODEL)
        workspace.skip_build_tests()
        workspace.configure(
            {
                "production.type": "realtime",
                "production.data_capture_percent": 100,
                "production.drift": True,
                "production.drift.window_minutes": 3,
            }
        )
        workspace.run("git", "add", "--all")
        workspace.run("git", "commit", "--quiet", "--message", "Watch live inputs")
        workspace.deploy_first()
        await_first_delivery(PREFIX)
        yield workspace


def artifact(factory: Workspace, name: str) -> Path:
    """A file of the run of the version in production."""
    client = mlflow_client(deployed_factory())
    run_id = str(client.get_model_version_by_alias(MODEL, "production").run_id)
    return Path(client.download_artifacts(run_id, name, str(factory.directory)))


@pytest.fixture(scope="module")
def held_out(factory: Workspace) -> pd.DataFrame:
    """Rows that the model was not fitted on."""
    return parse_test_rows(artifact(factory, TEST_DATA).read_bytes(), SPEC).features


@pytest.fixture(scope="module")
def training(factory: Workspace) -> NDArray[np.float64]:
    return encode(pd.read_parquet(artifact(factory, runs.TRAINING_SAMPLE)), SCHEMA)


def sample(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    return rows.iloc[random.choice(len(rows), BATCH, replace=False)]


def invoke(rows: pd.DataFrame) -> None:
    boto3.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=f"{PREFIX}-production",
        ContentType="text/csv",
        Accept="application/json",
        Body=write_csv(rows, SCHEMA, header=False),
    )


def captured_lines() -> list[bytes]:
    """Without those of the verification."""
    bucket = deployed_factory().output(Output.ARTIFACT_BUCKET_NAME)
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
                invoke(batches())
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
    shift = 2 * np.nanstd(training[:, NAMES.index("wind_speed")])
    categories = SCHEMA.columns[NAMES.index("carrier")].enum

    def shifted() -> pd.DataFrame:
        rows = sample(held_out, random)
        carrier = pd.Categorical([categories[0]] * len(rows), categories=categories)
        return rows.assign(wind_speed=rows["wind_speed"] + shift, carrier=carrier, seats=pd.NA)

    with traffic(shifted):
        (reason,) = wait_for(by_drift, "a delivery started by drift")
        assert set(reason.removeprefix("drift: ").split(", ")) == {"wind_speed", "carrier", "seats"}
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
