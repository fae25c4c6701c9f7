"""Scores a CSV file in S3 with a transform job: each row gets a prediction or the reason why not."""

import csv
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from botocore.exceptions import ClientError

from ml_code.contracts import JobLogs, tag_list
from ml_code.inference.container import container
from ml_code.retries import once

MAX_PAYLOAD_MB = 4  # below MAX_BODY_BYTES of requests.py
CONCURRENT_REQUESTS = 2
_ENDED = ("Completed", "Failed", "Stopped")


class BatchError(Exception):
    """A transform job without a result; the message says why."""


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """The stack's settings for transform jobs. They read and write below `prefix` of `bucket` only."""

    role_arn: str
    bucket: str
    prefix: str
    name_prefix: str
    kms_key_arn: str = ""
    vpc: dict[str, list[str]] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One version, one file."""

    name: str
    input_uri: str
    output_uri: str  # a folder
    image_uri: str
    instance_type: str
    model_data_url: str
    model_manifest_sha256: str
    tags: dict[str, str]
    settings: BatchSettings


def batch_name(settings: BatchSettings, version: str) -> str:
    """The name of the model and of the job; at most 63 characters, as a factory's name has at most 32."""
    return f"{settings.name_prefix}v{version}-{secrets.token_hex(4)}"


def score(sagemaker: Any, batch: Batch, say: Callable[[str], None], poll_seconds: float = 2.0) -> str:
    """The S3 URI of the answers, a line for each line of the input. The model is made for the job only."""
    network = {"VpcConfig": batch.settings.vpc} if batch.settings.vpc else {}
    once(
        sagemaker.create_model,
        ModelName=batch.name,
        ExecutionRoleArn=batch.settings.role_arn,
        PrimaryContainer=container(batch.image_uri, batch.model_data_url, batch.model_manifest_sha256),
        # Rows of people come to it, and its code asks nobody: SageMaker itself reads and writes S3.
        EnableNetworkIsolation=True,
        Tags=tag_list(batch.tags),
        **network,
    )
    try:
        once(sagemaker.create_transform_job, **_request(batch))
        say(f"transform job {batch.name} scores {batch.input_uri}")
        _wait(sagemaker, batch.name, poll_seconds)
    finally:
        _delete_model(sagemaker, batch.name)
    return f"{batch.output_uri}{batch.input_uri.rpartition('/')[2]}.out"


def _delete_model(sagemaker: Any, name: str) -> None:
    try:
        sagemaker.delete_model(ModelName=name)
    except ClientError as error:
        # A repeated attempt may find it deleted by the one before.
        if "Could not find" not in error.response["Error"]["Message"]:
            raise


def _request(batch: Batch) -> dict[str, Any]:
    key = batch.settings.kms_key_arn
    return {
        "TransformJobName": batch.name,
        "ModelName": batch.name,
        "MaxConcurrentTransforms": CONCURRENT_REQUESTS,
        "MaxPayloadInMB": MAX_PAYLOAD_MB,
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": batch.input_uri}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": batch.output_uri,
            "Accept": "application/jsonlines",
            "AssembleWith": "Line",
            **({"KmsKeyId": key} if key else {}),
        },
        "TransformResources": {
            "InstanceType": batch.instance_type,
            "InstanceCount": 1,
            **({"VolumeKmsKeyId": key} if key else {}),
        },
        "Tags": tag_list(batch.tags),
    }


def _wait(sagemaker: Any, name: str, poll_seconds: float) -> None:
    """Wait for the job's end without a limit: a job that is left alone runs on, and is found by its name."""
    while True:
        job = sagemaker.describe_transform_job(TransformJobName=name)
        status = job["TransformJobStatus"]
        if status in _ENDED:
            break
        time.sleep(poll_seconds)
    if status != "Completed":
        reason = job.get("FailureReason", f"no reason given; read the log group {JobLogs.TRANSFORM}")
        raise BatchError(f"transform job {name} is {status}: {reason}")


@dataclass(frozen=True, kw_only=True)
class Scored:
    predictions: int
    bad_rows: list[tuple[int, str]]  # number and reason


def check_complete(given: Path, answers: Path) -> None:
    """Row numbers are counted, so a line more or less would give every later row another's answer."""
    asked, answered = _count_lines(given), _count_lines(answers)
    if asked != answered:
        raise BatchError(
            f"{asked:,} lines were given and {answered:,} answered: which answer belongs to which row is unknown"
        )


def write_results(answers: Iterable[str], predictions: TextIO, bad_rows: TextIO) -> Scored:
    """Write predictions and refused rows; both files number rows as the input has them, from 1, without a header line."""
    writer, bad_writer = csv.writer(predictions), csv.writer(bad_rows)
    writer.writerow(["row", "prediction", "probability"])
    bad_writer.writerow(["row", "reason"])
    count, bad = 0, []
    for number, answer in _numbered(answers):
        if "prediction" in answer:
            # Of a number that was predicted there is no probability.
            writer.writerow([number, answer["prediction"], max(answer.get("probabilities", [""]))])
            count += 1
        else:
            reason = answer.get("error", "this line is a header, which may come first only")
            bad_writer.writerow([number, reason])
            bad.append((number, reason))
    return Scored(predictions=count, bad_rows=bad)


def _numbered(answers: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for index, line in enumerate(answers):
        answer = json.loads(line)
        if index == 0 and "header" in answer:
            continue
        number += 1
        yield number, answer


def _count_lines(path: Path) -> int:
    """The last line may lack its end."""
    count, block = 0, b""
    with path.open("rb") as file:
        while following := file.read(1 << 20):
            block = following
            count += block.count(b"\n")
    return count + (1 if block and not block.endswith(b"\n") else 0)
