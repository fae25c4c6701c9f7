"""A model archive served by SageMaker's real toolkit, as on a serverless endpoint of the least memory.

`python -m pytest -s tests/e2e/test_serving.py` prints how long the start took and how much memory it needs.
"""

import json
import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_code.inference.container import container
from ml_code.release.deploy import serving_files
from ml_code.release.model_archive import build_archive
from ml_code.table.columns import Column, Schema
from ml_code.tracking.model_registry import RegisteredVersion
from tests.e2e.conftest import Workspace, running

SCHEMA = Schema(
    (
        Column(name="width", required=True, minimum=0, maximum=10),
        Column(name="height", required=True, minimum=0, maximum=10),
    )
)
VERSION = RegisteredVersion(
    name="shapes", version="7", run_id="r", commit="c", data_sha256="d", execution_arn="e", code_uri=""
)
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
NAME, BUCKET = "serving", "archives-of-models"
MEMORY_MB = 1024
MAKING_SECONDS = 1800


@dataclass(frozen=True)
class Endpoint:
    start_seconds: float
    memory_mib: float
    log: list[str]


def archive(folder: Path) -> bytes:
    frame = pd.DataFrame(np.random.default_rng(0).uniform(0, 10, (200, 2)), columns=SCHEMA.names)
    target = np.where(frame["width"] > frame["height"], "wide", "tall")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, target)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    (folder / "schema.json").write_text(json.dumps(SCHEMA.to_dict()))
    return build_archive(serving_files(folder, VERSION))


def make_role() -> str:
    iam = boto3.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    policy = {"Effect": "Allow", "Action": ["s3:*", "logs:*", "ecr:*"], "Resource": "*"}
    arn = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=NAME, PolicyName=NAME, PolicyDocument=document(policy))
    return str(arn)


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with running(tmp_path_factory.mktemp("serving") / "project") as workspace:
        wait_for_environment(workspace)
        s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=archive(tmp_path_factory.mktemp("model")))
        primary: Any = container(IMAGE, f"s3://{BUCKET}/model.tar.gz", "")
        sagemaker.create_model(
            ModelName=NAME,
            ExecutionRoleArn=make_role(),
            PrimaryContainer=primary,
        )
        variant: Any = {
            "VariantName": "AllTraffic",
            "ModelName": NAME,
            "ServerlessConfig": {"MemorySizeInMB": MEMORY_MB, "MaxConcurrency": 1},
        }
        sagemaker.create_endpoint_config(EndpointConfigName=NAME, ProductionVariants=[variant])
        begin = time.monotonic()
        sagemaker.create_endpoint(EndpointName=NAME, EndpointConfigName=NAME)
        while sagemaker.describe_endpoint(EndpointName=NAME)["EndpointStatus"] == "Creating":
            time.sleep(0.1)
        seconds = time.monotonic() - begin
        described = sagemaker.describe_endpoint(EndpointName=NAME)
        assert described["EndpointStatus"] == "InService", described
        ask(b"1,9\n" * 10_000)  # the most that its memory may have to hold at once
        yield Endpoint(seconds, memory_mib(workspace), log_lines())


def wait_for_environment(workspace: Workspace) -> None:
    deadline = time.monotonic() + MAKING_SECONDS
    while "being made" in (status := workspace.local_aws("status")) and time.monotonic() < deadline:
        time.sleep(1)
    if "unprivileged" not in status:
        pytest.skip(f"the image's environment cannot be had here: {status}")


def memory_mib(workspace: Workspace) -> float:
    """The proportional memory of all processes of the container, which lead by the one that isolates them."""
    status = workspace.local_aws("status")
    (leader,) = [line.split()[0] for line in status.splitlines() if "/bin/serve" in line]
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            group = (process / "stat").read_text().rpartition(")")[2].split()[2]
            rollup = (process / "smaps_rollup").read_text() if group == leader else ""
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024


def log_lines() -> list[str]:
    logs, group = boto3.client("logs"), f"/aws/sagemaker/Endpoints/{NAME}"
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = logs.get_log_events(
        logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
    )
    return [event["message"] for event in events["events"]]


def ask(body: bytes, content_type: str = "text/csv", accept: str = "application/json") -> str:
    answer = boto3.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=NAME, Body=body, ContentType=content_type, Accept=accept
    )
    return str(answer["Body"].read().decode())


def test_it_starts_soon_and_fits_in_the_least_memory(endpoint: Endpoint) -> None:
    print(f"in service after {endpoint.start_seconds:.1f} s, {endpoint.memory_mib:.0f} MiB")
    assert any("Starting gunicorn" in line for line in endpoint.log)
    assert endpoint.memory_mib < MEMORY_MB / 2


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"1,9\n9,1\n", "text/csv"), (b'{"instances": [[1, 9], [9, 1]]}', "application/json")],
)
def test_csv_and_json_are_answered(body: bytes, content_type: str) -> None:
    answer = json.loads(ask(body, content_type))
    assert answer["predictions"] == ["tall", "wide"]
    assert (answer["model_version"], answer["run_id"], answer["commit"]) == ("7", "r", "c")
    assert ask(body, content_type, "text/csv").splitlines()[1].startswith("tall,")


@pytest.mark.usefixtures("endpoint")
def test_lines_are_answered_one_by_one() -> None:
    lines = [json.loads(line) for line in ask(b"1,9\nx,1\n", accept="application/jsonlines").splitlines()]
    assert lines[0]["prediction"] == "tall"
    assert "width" in lines[1]["error"]


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    ("body", "content_type", "accept", "status"),
    [
        (b"11,1", "text/csv", "*/*", 400),
        (b"1,1", "image/png", "*/*", 415),
        (b"1,1", "text/csv", "image/png", 406),
    ],
)
def test_what_the_schema_does_not_allow_is_refused(
    body: bytes, content_type: str, accept: str, status: int
) -> None:
    with pytest.raises(ClientError) as failed:
        ask(body, content_type, accept)
    answer: dict[str, Any] = {**failed.value.response}
    assert answer["OriginalStatusCode"] == status
    assert json.loads(answer["OriginalMessage"])["error"]
