"""Production on instances, behind guardrails: nothing is lost in an update, and nothing bad stays.

A minute of AWS's waiting takes three seconds. Version 1 comes by a delivery; later ones are released by the same
command that a delivery runs, from a clone whose code was changed where that is what is bad.
"""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from mlflow import MlflowClient
from sklearn.dummy import DummyRegressor

from ml_code.tracking import model_registry
from operations.factory import deploy_environment, deployed_factory, release_records
from operations.factory import mlflow_client as connect
from tests.e2e.conftest import NAME, PREFIX, Workspace, invoke, running
from tests.e2e.load import Load
from tests.e2e.sample import MODEL, requests, sample_rows

pytestmark = pytest.mark.e2e

ENDPOINT = f"{PREFIX}-production"
RATE = 60.0


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with running(tmp_path_factory.mktemp("guarded") / NAME, minute_seconds=3) as workspace:
        workspace.skip_build_tests()
        workspace.train_little()
        workspace.configure(
            {
                "production.type": "realtime",
                "production.rollout.bake_seconds": 480,
                "production.latency_alarm_ms": 400,
            }
        )
        workspace.run("git", "commit", "--quiet", "--all", "--message", "Production on instances")
        workspace.run("git", "tag", "--force", "start")
        yield workspace


@pytest.fixture
def client(factory: Workspace) -> MlflowClient:
    return connect(deployed_factory())


@pytest.fixture(autouse=True)
def version_1(factory: Workspace, client: MlflowClient) -> Iterator[None]:
    """In production before each test, also after one that failed."""
    yield
    if production(client) != "1":
        put_back = command(factory, "operations.rollback", "--to", "1")
        assert put_back.returncode == 0, put_back.stdout
    wait_until_quiet()


@pytest.fixture(scope="module")
def rows(factory: Workspace) -> list[str]:
    """Of the sample data, without the truth."""
    return requests(sample_rows()[:200])


def register(client: MlflowClient, folder: Path, *, is_good: bool = True) -> str:
    """A copy of version 1; one that is not good takes each class for another, or each number for 0."""
    first = model_registry.resolve(client, f"models:/{MODEL}/1")
    files = model_registry.download(client, first, folder)
    if not is_good:
        model = pickle.loads((files / "model.pkl").read_bytes())  # noqa: S301 - our own
        if model.classes:
            model.classes = model.classes[::-1]
        else:
            model.pipeline.steps[-1] = ("estimator", DummyRegressor().fit([[0.0]], [0.0]))
        (files / "model.pkl").write_bytes(pickle.dumps(model))
    path = f"copies/{folder.name}"
    client.log_artifacts(first.run_id, str(files), path)
    source = f"{client.get_run(first.run_id).info.artifact_uri}/{path}"
    tags = client.get_model_version(MODEL, "1").tags
    return str(client.create_model_version(MODEL, source, run_id=first.run_id, tags=tags).version)


def command(
    workspace: Workspace, *arguments: str, stage: str = "production"
) -> subprocess.CompletedProcess[str]:
    """A module of the clone, with the environment of the deployment to the stage."""
    environment = os.environ | deploy_environment(deployed_factory().model(), stage)
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=workspace.directory,
        env={**environment, "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def leftovers(endpoint: str = ENDPOINT) -> list[str]:
    """Models and configurations of an endpoint that it does not use."""
    sagemaker = boto3.client("sagemaker")
    used = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    models = [found["ModelName"] for found in sagemaker.list_models(NameContains=endpoint)["Models"]]
    configs = sagemaker.list_endpoint_configs(NameContains=endpoint)["EndpointConfigs"]
    return [name for name in models + [found["EndpointConfigName"] for found in configs] if name != used]


def production(client: MlflowClient) -> str:
    return str(client.get_model_version_by_alias(MODEL, "production").version)


def assert_nothing_was_lost(load: Load, before: str, after: str) -> None:
    assert load.faults == []
    assert len(load.answers) > 500, "too few requests to tell"
    versions = load.versions()
    first_new = versions.index(after)
    last_old = len(versions) - 1 - versions[::-1].index(before)
    assert set(versions) == {before, after}
    assert 0 < first_new < last_old < len(versions) - 1, "the answers never came from both"


def test_the_approval_links_the_report_of_staging(factory: Workspace) -> None:
    actions = boto3.client("codepipeline").list_action_executions(pipelineName=PREFIX)[
        "actionExecutionDetails"
    ]
    (approval,) = [action for action in actions if action["stageName"] == "Approval"]
    link = urlsplit(approval["input"]["resolvedConfiguration"]["ExternalEntityLink"])
    bucket, key = link.path.rpartition("/")[2], parse_qs(link.query)["prefix"][0]
    page = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert page.startswith("<!doctype html>")
    assert f"{PREFIX}-staging" in page


def test_serverless_staging_serves_the_old_version_again_when_a_new_one_fails(
    factory: Workspace, client: MlflowClient, tmp_path: Path
) -> None:
    bad = register(client, tmp_path, is_good=False)
    released = command(factory, "ml_code.release.release", "--version", bad, stage="staging")
    assert released.returncode == 1, released.stdout
    reason = released.stdout.strip().splitlines()[-1]
    assert "below the gate" in reason
    assert f"{PREFIX}-staging-v1-" in reason
    assert invoke("staging")["model_version"] == "1"
    assert leftovers(f"{PREFIX}-staging") == []
    client.delete_model_version(MODEL, bad)


def test_an_update_under_load_loses_no_request(
    factory: Workspace, client: MlflowClient, rows: list[str], tmp_path: Path
) -> None:
    second = register(client, tmp_path)
    with Load(ENDPOINT, rows, RATE) as load:
        released = command(factory, "ml_code.release.release", "--version", second)
    assert released.returncode == 0, released.stdout
    assert_nothing_was_lost(load, "1", second)
    assert production(client) == second
    assert leftovers() == []


def test_a_rollback_under_load_loses_no_request_and_is_in_the_history(
    factory: Workspace, client: MlflowClient, rows: list[str], tmp_path: Path
) -> None:
    second = register(client, tmp_path)
    released = command(factory, "ml_code.release.release", "--version", second)
    assert released.returncode == 0, released.stdout
    with Load(ENDPOINT, rows, RATE) as load:
        rolled_back = command(factory, "operations.rollback")
    assert rolled_back.returncode == 0, rolled_back.stdout
    assert_nothing_was_lost(load, second, "1")
    assert production(client) == "1"
    assert leftovers() == []
    releases = release_records(deployed_factory(), deployed_factory().model()).read()
    assert (releases[0].version, releases[0].reason) == ("1", "delivery")
    assert [(release.version, release.reason) for release in releases[-2:]] == [
        (second, "by hand"),
        ("1", "rollback"),
    ]
    assert all(release.approved_by.startswith("arn:aws:") for release in releases)
    assert "rollback" in command(factory, "operations.history").stdout


# What the image's toolkit calls for a request.
RAISES = """

_numbers, _good_transform_fn = __import__("itertools").count(), transform_fn


def transform_fn(*request):
    if next(_numbers) % 2:
        raise ArithmeticError("every other request")
    return _good_transform_fn(*request)
"""
SLOW = """

_good_transform_fn = transform_fn


def transform_fn(*request):
    __import__("time").sleep(0.6)
    return _good_transform_fn(*request)
"""


@pytest.mark.parametrize(
    ("code", "alarm"),
    [(RAISES, "production-errors"), (SLOW, "production-latency"), ("", "production-quality")],
    ids=["raises", "slow", "predicts-badly"],
)
def test_a_bad_version_is_rolled_back_while_the_good_one_serves(
    factory: Workspace, client: MlflowClient, rows: list[str], tmp_path: Path, code: str, alarm: str
) -> None:
    version = register(client, tmp_path, is_good=bool(code))
    if code:
        factory.append("ml_code/inference/handler.py", code)
    try:
        with Load(ENDPOINT, rows, RATE) as load:
            released = command(factory, "ml_code.release.release", "--version", version)
    finally:
        factory.restore()
    assert released.returncode == 1, released.stdout
    reason = released.stdout.strip().splitlines()[-1]
    assert reason.startswith("release: ")
    assert f"{PREFIX}-{alarm}" in reason
    assert production(client) == "1"
    assert leftovers() == []
    assert_the_old_one_served(load, version)
    assert version not in [
        release.version for release in release_records(deployed_factory(), deployed_factory().model()).read()
    ]


# Of a canary's tenth of the requests; were all shifted, hundreds would follow one another.
MOST_IN_A_ROW = 20


def assert_the_old_one_served(load: Load, bad: str) -> None:
    """All along, and at the end alone; a canary may have answered, or failed, in between."""
    versions = load.versions()
    assert versions.count("1") > 0.7 * len(load.answers)
    others = [len([*run]) for is_old, run in groupby(versions, lambda each: each == "1") if not is_old]
    assert max(others, default=0) < MOST_IN_A_ROW, "version 1 did not serve all along"
    assert versions[-1] == "1"
    assert set(versions) <= {"1", bad}


def wait_until_quiet() -> None:
    """Until no alarm is left that would stop the next update at once."""
    cloudwatch = boto3.client("cloudwatch")
    for _ in range(60):
        alarms = cloudwatch.describe_alarms(AlarmNamePrefix=f"{PREFIX}-production")["MetricAlarms"]
        if all(alarm["StateValue"] == "OK" for alarm in alarms):
            return
        threading.Event().wait(0.5)
    pytest.fail("an alarm of the production endpoint does not end")
