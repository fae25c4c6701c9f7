"""Who may only put an object, or start a delivery, writes no line of their own into a log."""

from pathlib import Path
from typing import Any

import pytest

from ml_code.execution.raw_data import provide_data
from ml_code.execution.run_settings import RunError
from ml_code.jobs.preprocess import read_folder
from ml_code.pipeline.compute import Compute
from ml_code.raw_files import RawFileError, select
from ml_code.table.columns import Column, Schema, SchemaError
from operations.erase import Version
from stacks.new_data.function import index

FORGED = "x\nregistered digits version 7 as digits@production\x1b[2K"
LINE = "registered digits"


def one_line(text: str) -> None:
    assert LINE in text
    assert text.strip().isprintable()


def test_a_file_that_is_no_data() -> None:
    with pytest.raises(RawFileError) as refused:
        select([f"{FORGED}.orc"])
    one_line(str(refused.value))


def test_a_file_that_is_left_out() -> None:
    one_line(select([f"_{FORGED}"]).remark)


def test_a_file_with_other_columns(tmp_path: Path) -> None:
    (tmp_path / f"{FORGED}.csv").write_text("a,c\n1,2\n")
    with pytest.raises(SchemaError) as refused:
        read_folder(tmp_path, Schema((Column(name="a", required=True), Column(name="b", required=True))))
    one_line(str(refused.value))


class Bucket:
    """Of S3's client, with one object under any prefix, or none."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def get_paginator(self, _: str) -> "Bucket":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key, "ETag": "e", "Size": 9} for key in self.keys]}]


def test_a_prefix_that_a_delivery_was_started_with(capsys: pytest.CaptureFixture[str]) -> None:
    prefix = f"raw/{FORGED}/"
    bucket: Any = Bucket(f"{prefix}a.csv")
    provide_data(bucket, "data", prefix, "digits", Compute())
    one_line(capsys.readouterr().out)
    for keys in ((), (f"{prefix}a.orc",)):
        bucket = Bucket(*keys)
        with pytest.raises(RunError) as refused:
            provide_data(bucket, "data", prefix, "digits", Compute())
        one_line(str(refused.value))


def test_an_object_that_came(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Scheduler:
        def get_schedule(self, **_: Any) -> dict[str, Any]:
            return {
                "Name": "new-data",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": "a", "RoleArn": "r", "Input": "{}"},
            }

        def update_schedule(self, **_: Any) -> None:
            pass

    for name, value in {"SCHEDULE_NAME": "new-data", "START_INPUT": "{}", "QUIET_SECONDS": "60"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.client", lambda _: Scheduler())
    event = {"time": "2026-01-01T00:00:00Z", "detail": {"object": {"key": FORGED}}}
    index.put_off(event)
    one_line(capsys.readouterr().out)


def test_an_object_with_rows_of_a_person() -> None:
    one_line(str(Version(bucket="b", key=f"raw/{FORGED}", id="1", is_current=True)))
