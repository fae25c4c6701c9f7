import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ml_code.inference.transform_job import (
    Batch,
    BatchError,
    BatchSettings,
    check_complete,
    score,
    write_results,
)

SETTINGS = BatchSettings(role_arn="arn:r", bucket="data", prefix="batch/", name_prefix="digits-batch-")


def planned(**settings: Any) -> Batch:
    return Batch(
        name="digits-batch-v3-ab",
        input_uri="s3://data/batch/new/rows.csv",
        output_uri="s3://data/batch/digits-batch-v3-ab/",
        image_uri="image",
        instance_type="ml.m5.large",
        model_data_url="s3://artifacts/serving/model.tar.gz",
        model_manifest_sha256="m",
        tags={"model-version": "3"},
        settings=BatchSettings(**{**vars(SETTINGS), **settings}),
    )


class SageMaker:
    """Keeps what it is asked, and ends the job at the second look."""

    def __init__(self, end: dict[str, str]) -> None:
        self.asked: dict[str, Any] = {}
        self.states = [{"TransformJobStatus": "InProgress"}, end]

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            self.asked[operation] = request
            return self.states.pop(0) if operation == "describe_transform_job" else {}

        return call


def test_what_attempts_without_an_answer_did_is_success() -> None:
    words = {
        "create_model": 'Cannot create already existing model "arn:m".',
        "create_transform_job": "a transform job with this name already exists (arn:j)",
        "delete_model": 'Could not find model "arn:m".',
    }

    class Repeating(SageMaker):
        def __getattr__(self, operation: str) -> Any:
            if operation not in words:
                return super().__getattr__(operation)

            def call(**_: Any) -> Any:
                answer: Any = {
                    "Error": {"Code": "ValidationException", "Message": words[operation]},
                    "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 1},
                }
                raise ClientError(answer, operation)

            return call

    score(Repeating({"TransformJobStatus": "Completed"}), planned(), lambda line: None, poll_seconds=0)


def test_the_job_is_asked_for_a_line_a_line_and_its_model_goes_again() -> None:
    sagemaker = SageMaker({"TransformJobStatus": "Completed"})
    uri = score(sagemaker, planned(), say=print, poll_seconds=0)
    assert uri == "s3://data/batch/digits-batch-v3-ab/rows.csv.out"
    job = sagemaker.asked["create_transform_job"]
    assert (job["BatchStrategy"], job["TransformInput"]["SplitType"]) == ("MultiRecord", "Line")
    assert job["TransformOutput"] == {
        "S3OutputPath": "s3://data/batch/digits-batch-v3-ab/",
        "Accept": "application/jsonlines",
        "AssembleWith": "Line",
    }
    assert sagemaker.asked["delete_model"] == {"ModelName": "digits-batch-v3-ab"}
    assert "VpcConfig" not in sagemaker.asked["create_model"]
    assert sagemaker.asked["create_model"]["EnableNetworkIsolation"] is True


def test_key_and_network_of_the_factory_reach_the_job() -> None:
    sagemaker = SageMaker({"TransformJobStatus": "Completed"})
    vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    score(sagemaker, planned(kms_key_arn="arn:k", vpc=vpc), say=print, poll_seconds=0)
    job = sagemaker.asked["create_transform_job"]
    assert job["TransformOutput"]["KmsKeyId"] == job["TransformResources"]["VolumeKmsKeyId"] == "arn:k"
    assert sagemaker.asked["create_model"]["VpcConfig"] == vpc


def test_a_failed_job_says_why_and_leaves_no_model() -> None:
    sagemaker = SageMaker({"TransformJobStatus": "Failed", "FailureReason": "ClientError: See job logs"})
    with pytest.raises(BatchError, match="digits-batch-v3-ab is Failed: ClientError: See job logs"):
        score(sagemaker, planned(), say=print, poll_seconds=0)
    assert "delete_model" in sagemaker.asked


def results(*answers: dict[str, Any]) -> tuple[list[list[str]], list[list[str]]]:
    predictions, bad = io.StringIO(), io.StringIO()
    write_results([json.dumps(answer) + "\n" for answer in answers], predictions, bad)
    good_rows, bad_rows = (list(csv.reader(io.StringIO(table.getvalue()))) for table in (predictions, bad))
    return good_rows, bad_rows


def test_rows_keep_their_numbers() -> None:
    good = {"prediction": 3, "probabilities": [0.1, 0.9]}
    predictions, bad = results(good, {"error": "the line, is empty"}, good)
    assert predictions == [["row", "prediction", "probability"], ["1", "3", "0.9"], ["3", "3", "0.9"]]
    assert bad == [["row", "reason"], ["2", "the line, is empty"]]


def test_a_header_is_no_row_unless_it_comes_later() -> None:
    good, header = {"prediction": 3, "probabilities": [1.0]}, {"header": ["a"]}
    predictions, bad = results(header, good, header)
    assert [row[0] for row in predictions[1:]] == ["1"]
    assert bad[1] == ["2", "this line is a header, which may come first only"]


@pytest.mark.parametrize("given", [b"1\n2\n3", b"1\n2\n3\n", b"1\n\n3"])
def test_each_line_must_be_answered(tmp_path: Path, given: bytes) -> None:
    asked, answered = tmp_path / "asked", tmp_path / "answered"
    asked.write_bytes(given)
    answered.write_bytes(b"{}\n{}\n{}")
    check_complete(asked, answered)
    answered.write_bytes(b"{}\n{}\n")
    with pytest.raises(BatchError, match="3 lines were given and 2 answered"):
        check_complete(asked, answered)
