"""Transform jobs: mini-batches through the model's real container, output objects, failures, who may."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.services.sagemaker.jobs.transform_data import RecordTooLarge, assemble, batches
from tests.services.sagemaker.conftest import BUCKET, Local

MODEL = """
import os

def model_fn(model_dir):
    return None

def transform_fn(model, content, content_type, accept):
    rows = content.splitlines()
    if any(row.startswith("bad") for row in rows):
        from werkzeug.wrappers import Response
        return Response("row 1 has a text", status=400, mimetype="text/plain")
    if any(row.startswith("crash") for row in rows):
        raise ValueError("the model fails")
    # In one piece: two requests print at the same time.
    print(f"asked {os.environ['SAGEMAKER_BATCH']} {os.environ.get('MODE')} {accept}\\n", end="")
    return "\\n".join(str(sum(map(int, row.split(",")))) for row in rows), "text/csv"
"""


@pytest.fixture
def local(small_local: Local) -> Local:
    """Its containers start soon; endpoints/test_image.py has a transform job in the image's environment."""
    return small_local


def test_the_rows_of_a_large_file_are_answered_in_their_order(
    local: Any, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    rows = 100_000
    model = create_model(local)
    row = ",".join(["1"] * 63)
    local.put(f"{model}/in/rows.csv", "".join(f"{number},{row}\n" for number in range(rows)))
    local.put(f"{model}/in/more/rows.csv", "1,2\n3,4\n")
    described = transform(local, model, Environment={"MODE": "batch"}, MaxConcurrentTransforms=2)
    assert described["TransformJobStatus"] == "Completed", described
    assert described["TransformEndTime"] >= described["TransformStartTime"]
    answers = local.get(f"{model}/out/rows.csv.out").decode().splitlines()
    assert answers == [str(number + 63) for number in range(rows)]
    assert local.get(f"{model}/out/more/rows.csv.out") == b"3\n7\n"
    stream = f"{described['TransformJobName']}/i-"

    def logged(text: str) -> int:
        return sum(text in line for line in local.log_lines("/aws/sagemaker/TransformJobs", stream))

    # 13.4 MB in payloads of at most 6, and the other file.
    wait_until(lambda: logged("asked true batch text/csv") == 4)
    assert logged("MaxConcurrentTransforms=2, MaxPayloadInMB=6, BatchStrategy=MultiRecord")


def test_several_instances_share_the_objects(local: Any) -> None:
    model = create_model(local)
    for number in range(3):
        local.put(f"{model}/in/{number}.csv", f"{number},1\n")
    described = transform(
        local, model, TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 2}
    )
    assert described["TransformJobStatus"] == "Completed", described
    assert [local.get(f"{model}/out/{number}.csv.out") for number in range(3)] == [b"1\n", b"2\n", b"3\n"]
    streams = local.client("logs").describe_log_streams(
        logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix=f"{described['TransformJobName']}/i-"
    )["logStreams"]
    instances = {stream["logStreamName"].split("/")[1] for stream in streams}
    asked = [
        sum("asked" in line for line in local.log_lines("/aws/sagemaker/TransformJobs", prefix))
        for prefix in (f"{described['TransformJobName']}/{instance}" for instance in instances)
    ]
    assert sorted(asked) == [1, 2]


def test_failures_name_the_log(local: Any) -> None:
    model = create_model(local)
    local.put(f"{model}/in/bad.csv", "1,2\nbad,2\n")
    local.put(f"{model}/in/good.csv", "1,2\n")
    described = transform(local, model)
    assert described["TransformJobStatus"] == "Failed"
    assert described["FailureReason"] == "ClientError: See job logs for more information"
    # The other objects are transformed all the same.
    assert local.keys(f"{model}/out/") == [f"{model}/out/good.csv.out"]
    lines = local.log_lines("/aws/sagemaker/TransformJobs", f"{described['TransformJobName']}/i-")
    assert any(f"{BUCKET}/{model}/in/bad.csv: ClientError: 400" in line for line in lines)
    assert any("row 1 has a text" in line for line in lines)
    local.put(f"{model}/in/bad.csv", "crash\n")
    described = transform(local, model, ModelClientConfig={"InvocationsMaxRetries": 0})
    assert described["FailureReason"] == "AlgorithmError: See job logs for more information"
    other = create_model(local, source="raise RuntimeError('no')")
    local.put(f"{other}/in/rows.csv", "1,2\n")
    described = transform(local, other)
    assert described["FailureReason"].startswith("AlgorithmError: Model container failed to respond to ping")
    described = transform(local, create_model(local))
    assert described["FailureReason"].startswith("ClientError: No S3 objects found under S3 URL")


def test_the_models_role_decides(local: Any, make_role: Any) -> None:
    read = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    model = create_model(local, role=make_role([read]))
    local.put(f"{model}/in/rows.csv", "1,2\n")
    described = transform(local, model)
    assert described["FailureReason"] == "ClientError: See job logs for more information"
    lines = local.log_lines("/aws/sagemaker/TransformJobs", f"{described['TransformJobName']}/i-")
    assert any("AccessDenied" in line and "s3:PutObject" in line for line in lines)


def test_stopping_and_listing(local: Any) -> None:
    model = create_model(local, source="import time\ntime.sleep(60)\n" + MODEL)
    local.put(f"{model}/in/rows.csv", "1,2\n")
    request = transform_request(model)
    name = request["TransformJobName"]
    sagemaker = local.client()
    arn = sagemaker.create_transform_job(**request)["TransformJobArn"]
    with pytest.raises(ClientError, match="a transform job with this name already exists"):
        sagemaker.create_transform_job(**request)
    sagemaker.stop_transform_job(TransformJobName=name)
    local.sagemaker.wait_for_job(arn)
    assert sagemaker.describe_transform_job(TransformJobName=name)["TransformJobStatus"] == "Stopped"
    (found,) = sagemaker.list_transform_jobs(NameContains=name, StatusEquals="Stopped")[
        "TransformJobSummaries"
    ]
    assert found["TransformJobArn"] == arn


def test_what_is_refused(local: Any) -> None:
    model = create_model(local)

    def refused(message: str, **changes: Any) -> None:
        with pytest.raises(ClientError, match=message):
            local.client().create_transform_job(**transform_request(model) | changes)

    refused("does not support DataProcessing", DataProcessing={"JoinSource": "Input"})
    refused(
        r"MaxPayloadInMB \(60\) times MaxConcurrentTransforms \(2\)",
        MaxPayloadInMB=60,
        MaxConcurrentTransforms=2,
    )
    refused(r'Could not find model "arn:.*model/nope"', ModelName="nope")
    source = transform_request(model)["TransformInput"]
    refused("supports SplitType None, Line", TransformInput=source | {"SplitType": "RecordIO"})


def test_mini_batches() -> None:
    def of(content: bytes, **changes: Any) -> list[bytes]:
        settings: dict[str, Any] = {"split": "Line", "strategy": "MultiRecord", "max_payload_bytes": 4}
        return list(batches(content, **settings | changes))

    assert of(b"1\n2\n3") == [b"1\n2\n", b"3"]
    assert of(b"1\n2\n3", strategy="SingleRecord") == [b"1\n", b"2\n", b"3"]
    assert of(b"1\n2\n3", split="None", max_payload_bytes=5) == [b"1\n2\n3"]
    assert of(b"") == []
    with pytest.raises(RecordTooLarge, match="5 bytes, allowed are 4"):
        of(b"1\n2345\n")
    assert assemble([b"1", b"2\n"], with_lines=True) == b"1\n2\n"
    assert assemble([b"1", b"2"], with_lines=False) == b"12"


def create_model(local: Any, *, source: str = MODEL, role: str = "") -> str:
    name = f"batch-{uuid.uuid4().hex[:8]}"
    archive = local.archive(
        f"{name}/model.tar.gz", {"code/inference.py": source, "model.json": json.dumps(1)}
    )
    local.create_model(name, archive, role)
    return name


def transform_request(model: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{model}/in/"}
    return {
        "TransformJobName": f"{model}-{uuid.uuid4().hex[:6]}",
        "ModelName": model,
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": source},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": f"s3://{BUCKET}/{model}/out",
            "Accept": "text/csv",
            "AssembleWith": "Line",
        },
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }


def transform(local: Any, model: str, **changes: Any) -> dict[str, Any]:
    """Run a transform job to its end; the description."""
    request = transform_request(model) | changes
    arn = local.client().create_transform_job(**request)["TransformJobArn"]
    local.sagemaker.wait_for_job(arn)
    described: dict[str, Any] = local.client().describe_transform_job(
        TransformJobName=request["TransformJobName"]
    )
    return described
