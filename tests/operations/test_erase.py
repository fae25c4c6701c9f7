"""One person's rows, everywhere that the factory keeps rows, and nobody else's."""

import gzip
import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pandas as pd
import pytest

from ml_code.contracts import Output
from ml_code.table.columns import Column, Schema
from operations.erase import Erasure, Version, erase
from operations.factory import Factory, Model
from operations.personal_rows import Person

if TYPE_CHECKING:
    from localaws.core.account import Account

SCHEMA = Schema((Column(name="age", required=True), Column(name="height", required=True)))
PERSON = Person(column="patient", value="4711", schema=SCHEMA)
RAW = "patient,age,height,ill\n4711,33,1.80,1\n4712,34,1.70,0\n4711,35,1.80,0\n"
COPY = "age,height,ill\n33.0,1.8,1\n34.0,1.7,0\n"
RUN = "mlflow/1/run/artifacts"
REQUESTS = {  # body and content type: theirs or not
    "csv": ("33,1.8\n", "text/csv", True),
    "batch": ("34,1.7\n35,1.80\n", "text/csv", True),
    "other": ("34,1.7\n", "text/csv", False),
    "json": ('{"instances": [{"age": 33, "height": 1.8}]}', "application/json", True),
    "refused": ('{"patient": "4711", "age": "old"}', "application/json", True),
    "longer": ('{"patient": "47110", "age": "old"}', "application/json", False),
}


def parquet(text: str) -> bytes:
    written = io.BytesIO()
    pd.read_csv(io.StringIO(text)).to_parquet(written, index=False)
    return written.getvalue()


def captured(body: str, content_type: str) -> bytes:
    asked = {"observedContentType": content_type, "mode": "INPUT", "data": body, "encoding": "CSV"}
    return json.dumps({"captureData": {"endpointInput": asked}}).encode() + b"\n"


@pytest.fixture(params=["versioned", "plain"])
def factory(account: "Account", request: pytest.FixtureRequest) -> Factory:
    """Both buckets, with rows of three people in all that keeps rows."""
    s3 = boto3.client("s3")
    data, artifacts = f"erase-data-{request.param}", f"erase-artifacts-{request.param}"
    for bucket in (data, artifacts):
        s3.create_bucket(Bucket=bucket)
        if request.param == "versioned":
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    objects: dict[str, dict[str, bytes]] = {
        data: {
            "raw/m/a.csv": RAW.encode(),
            "raw/m/b.csv.gz": gzip.compress(RAW.replace("4711", "4713").encode()),
            "raw/m/only.csv": b"patient,age,height,ill\n4711,33,1.8,1\n",
            "batch/m/rows.csv": b"34,1.7\n33,1.8\n",
            "batch/m/job-1/rows.csv.out": b"{}\n{}\n",
            "batch/m/job-1/predictions.csv": b"row,prediction\n1,0\n2,1\n",
            "batch/m/job-2/other.csv": b"height,age\n1.7,34\n",
            "batch/m/job-2/other.csv.out": b"{}\n",
            "batch/m/job-2/bad_rows.csv": b"row,reason\n",
        },
        artifacts: {
            "runs/m/x/preprocess/train.parquet": parquet(COPY),
            "runs/m/x/model.tar.gz": b"\x1f\x8b33,1.8",
            f"{RUN}/test.csv": COPY.encode(),
            f"{RUN}/training_sample.parquet": parquet("age,height\n35,1.8\n34,1.7\n"),
            f"{RUN}/verification/production/verification.html": b"<td>33",
            f"{RUN}/verification/production/verification.json": b"{}",
            "mlflow/1/other/artifacts/verification/verification.html": b"<td>34",
            "mlflow/1/models/m/artifacts/input_example.json": b'{"columns":["age","height"],"data":[[33,1.8]]}',
            "mlflow/1/models/n/artifacts/input_example.json": b'{"columns":["age","height"],"data":[[34,1.7]]}',
            "captured/f-m-production/AllTraffic/x.jsonl": b"".join(
                captured(body, kind) for body, kind, _ in REQUESTS.values()
            ),
            "serving/production/m/1/ab/test.csv": COPY.encode(),
            "serving/production/m/1/ab/approval-2026-e1.html": b"shows rows",
            "serving/production/m/1/cd/approval-2026-e2.html": b"shows rows of others",
            "serving/production/m/1/ab/model.tar.gz": b"\x1f\x8b",
            "code/c/source.csv": COPY.encode(),
        },
    }
    for bucket, contents in objects.items():
        for key, content in contents.items():
            s3.put_object(Bucket=bucket, Key=key, Body=content)
    if request.param == "versioned":  # overwritten before: the old version has the rows, too
        s3.put_object(Bucket=data, Key="raw/m/b.csv.gz", Body=RAW.encode())
        s3.put_object(Bucket=data, Key="raw/m/b.csv.gz", Body=b"patient,age,height,ill\n4713,33,1.80,1\n")
    return Factory("f", {Output.DATA_BUCKET_NAME: data, Output.ARTIFACT_BUCKET_NAME: artifacts})


def run(factory: Factory, *, does_it: bool) -> tuple[Erasure, list[str]]:
    said: list[str] = []
    return erase(factory, Model("m", "f-m"), PERSON, does_it=does_it, say=said.append), said


def contents(factory: Factory) -> dict[str, list[bytes]]:
    """All versions of all objects."""
    s3, found = boto3.client("s3"), dict[str, list[bytes]]()
    for bucket in factory.outputs.values():
        for each in s3.list_object_versions(Bucket=bucket).get("Versions", []):
            body: bytes = s3.get_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])[
                "Body"
            ].read()
            plain = each["Key"].endswith(".gz") and body.startswith(b"\x1f\x8b\x08")
            found.setdefault(each["Key"], []).append(gzip.decompress(body) if plain else body)
    return found


def test_without_yes_nothing_changes_and_every_place_is_named(factory: Factory) -> None:
    before = contents(factory)
    done, said = run(factory, does_it=False)
    assert contents(factory) == before
    for part in (
        "raw/m/a.csv',",
        "runs/m/x/preprocess/train.parquet",
        "test.csv",
        "x.jsonl",
        "batch/m/rows.csv",
        "serving/",
    ):
        assert [line for line in said if part in line], part
    assert all(line.startswith("found ") for line in said if "s3://" in line)
    assert done.objects == len([line for line in said if "s3://" in line])


def test_their_rows_go_from_every_version_and_nobody_else_s(factory: Factory) -> None:
    before = contents(factory)
    run(factory, does_it=True)
    after = contents(factory)
    expected: dict[str, list[bytes]] = {
        **before,
        "raw/m/a.csv": [b"patient,age,height,ill\n4712,34,1.70,0\n"],
        "batch/m/rows.csv": [b"34,1.7\n"],
        "runs/m/x/preprocess/train.parquet": [parquet("age,height,ill\n34.0,1.7,0\n")],
        f"{RUN}/test.csv": [b"age,height,ill\n34.0,1.7,0\n"],
        f"{RUN}/training_sample.parquet": [parquet("age,height\n34,1.7\n")],
        "captured/f-m-production/AllTraffic/x.jsonl": [
            b"".join(captured(body, kind) for body, kind, theirs in REQUESTS.values() if not theirs)
        ],
    }
    expected["raw/m/b.csv.gz"] = [each for each in before["raw/m/b.csv.gz"] if b"4711" not in each]
    for gone in (
        "raw/m/only.csv",
        "batch/m/job-1/rows.csv.out",
        "batch/m/job-1/predictions.csv",
        f"{RUN}/verification/production/verification.html",
        "mlflow/1/models/m/artifacts/input_example.json",
        "serving/production/m/1/ab/test.csv",
        "serving/production/m/1/ab/approval-2026-e1.html",
    ):
        del expected[gone]
    assert after == expected
    again, said = run(factory, does_it=False)
    assert (again.objects, said) == (0, [])


def test_what_is_no_csv_is_named_as_not_searched(factory: Factory) -> None:
    data = factory.output(Output.DATA_BUCKET_NAME)
    boto3.client("s3").put_object(Bucket=data, Key="raw/m/x.parquet", Body="ä".encode("utf-16"))
    done, _ = run(factory, does_it=False)
    (line,) = done.unread
    assert line.startswith(f"'s3://{data}/raw/m/x.parquet': 'utf-8' codec can't decode")


def test_a_key_is_one_line_of_a_log() -> None:
    version = Version(bucket="b", key="raw/a\r\n\x1b[2Kall is well", id="1", is_current=True)
    assert str(version) == r"'s3://b/raw/a\r\n\x1b[2Kall is well'"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    from operations import erase as module

    def call(*arguments: str) -> Any:
        monkeypatch.setattr("sys.argv", ["erase", *arguments])
        return module.main()

    return call


def test_an_empty_key_or_value_is_refused(commands: Callable[..., Any]) -> None:
    from operations.errors import OperationError

    for arguments in (("--key", "", "--value", "1"), ("--key", "patient", "--value", " ")):
        with pytest.raises(OperationError, match="is empty: make erase KEY=<column> VALUE=<value>"):
            commands(*arguments)
