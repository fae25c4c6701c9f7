"""The raw data of a model in the data bucket."""

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ml_code.execution import raw_data
from ml_code.execution.run_settings import RunError
from ml_code.pipeline.compute import Compute
from tests.ml_code.execution.stubs import Stubs


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_yaml: str) -> None:
    """The working directory is a project with one model and its sample data."""
    (tmp_path / "models/digits/data").mkdir(parents=True)
    (tmp_path / "models/digits/model.yaml").write_text(model_yaml)
    (tmp_path / "models/digits/data/digits.csv").write_text("digit\n1\n")
    monkeypatch.chdir(tmp_path)


def test_the_data_s_version_changes_with_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = [{"Key": "raw/digits/a.csv", "ETag": '"1"', "Size": 9}]
    versions = []
    for contents in (
        listing,
        listing,
        [*listing, {"Key": "raw/digits/b.csv", "ETag": '"2"', "Size": 9}],
        [{**listing[0], "ETag": '"3"'}],
    ):
        stubs = Stubs()
        stubs.s3.add_response("list_objects_v2", {"Contents": contents})
        versions.append(raw_data.provide_data(stubs.clients.s3, "data", "raw/digits/", "digits", Compute()))
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


def test_an_empty_bucket_gets_the_sample_data(monkeypatch: pytest.MonkeyPatch) -> None:
    stubs, request = Stubs(), {"Bucket": "data", "Prefix": "raw/digits/"}
    stubs.s3.add_response("list_objects_v2", {}, request)
    stubs.s3.add_response("list_objects_v2", {}, {"Bucket": "data", "Prefix": "raw/", "Delimiter": "/"})
    stubs.s3.add_response(
        "list_objects_v2", {"Contents": [{"Key": "raw/digits/digits.csv", "ETag": '"1"', "Size": 9}]}, request
    )
    uploaded: list[str] = []
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(stubs.clients.s3, "upload_file", lambda path, bucket, key: uploaded.append(key))
    raw_data.provide_data(stubs.clients.s3, "data", "raw/digits/", "digits", Compute())
    assert uploaded == ["raw/digits/digits.csv"]
    stubs.finish()


def test_what_is_no_data_brings_neither_the_sample_nor_another_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [{"Key": "raw/digits/a.csv", "ETag": '"1"', "Size": 9}]
    versions = []
    for more in (
        [],
        [
            {"Key": "raw/digits/", "ETag": '"2"', "Size": 9},
            {"Key": "raw/digits/_SUCCESS", "ETag": '"3"', "Size": 9},
        ],
    ):
        stubs = Stubs()
        stubs.s3.add_response("list_objects_v2", {"Contents": [*more, *data]})
        versions.append(raw_data.provide_data(stubs.clients.s3, "data", "raw/digits/", "digits", Compute()))
    assert versions[0] == versions[1]
    assert "no data: '_SUCCESS'" in capsys.readouterr().out


def test_a_folder_object_does_not_keep_the_sample_data_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stubs = Stubs()
    stubs.s3.add_response("list_objects_v2", {"Contents": [{"Key": "raw/digits/", "ETag": '"1"', "Size": 9}]})
    stubs.s3.add_response("list_objects_v2", {"CommonPrefixes": [{"Prefix": "raw/digits/"}]})
    stubs.s3.add_response(
        "list_objects_v2", {"Contents": [{"Key": "raw/digits/digits.csv", "ETag": '"1"', "Size": 9}]}
    )
    uploaded: list[str] = []
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(stubs.clients.s3, "upload_file", lambda path, bucket, key: uploaded.append(key))
    raw_data.provide_data(stubs.clients.s3, "data", "raw/digits/", "digits", Compute())
    assert uploaded == ["raw/digits/digits.csv"]


def test_what_the_job_would_refuse_is_refused_before_it_starts() -> None:
    stubs = Stubs()
    contents = [{"Key": f"raw/digits/{name}", "ETag": '"1"', "Size": 9} for name in ("a.csv", "b.orc")]
    stubs.s3.add_response("list_objects_v2", {"Contents": contents})
    with pytest.raises(
        RunError, match=r"'s3://data/raw/digits/': 'b\.orc' cannot be read as raw data; allowed: \.csv,"
    ):
        raw_data.provide_data(stubs.clients.s3, "data", "raw/digits/", "digits", Compute())


def test_data_of_a_factory_of_one_model_is_not_replaced_by_the_sample() -> None:
    stubs = Stubs()
    stubs.s3.add_response("list_objects_v2", {})
    stubs.s3.add_response("list_objects_v2", {"Contents": [{"Key": "raw/a.csv", "ETag": '"1"', "Size": 9}]})
    with pytest.raises(RunError, match=r"has data of no model, such as 'raw/a.csv': aws s3 mv"):
        raw_data.provide_data(stubs.clients.s3, "data", "raw/digits/", "digits", Compute())


def test_an_empty_prefix_below_raw_is_refused() -> None:
    stubs = Stubs()
    stubs.s3.add_response("list_objects_v2", {})
    with pytest.raises(RunError, match="no data under 's3://data/raw/digits/2026/"):
        raw_data.provide_data(stubs.clients.s3, "data", "raw/digits/2026/", "digits", Compute())


@pytest.mark.parametrize(
    ("sizes", "compute", "sentence"),
    [
        ([4] * 3, {"preprocess": {"instance_count": 3}}, ""),
        ([9], {}, ""),
        ([16], {}, "the 16.0 GB under 's3://data/raw/digits/' need about 32 GB of each preprocess instance, and compute.pre"),
        ([16], {}, "compute.preprocess.volume_gb is 30; raise it and deploy, or train on fewer data"),
        ([16, 1, 1], {"preprocess": {"instance_count": 3}}, "need about 32 GB of each preprocess instance"),
        ([31], {"preprocess": {"volume_gb": 100}}, "need about 31 GB of each training instance, and compute.training."),
        ([31], {"preprocess": {"volume_gb": 100}, "training": {"volume_gb": 40}}, "compute.evaluate.volume_gb is 30"),
    ],
)  # fmt: skip
def test_data_that_do_not_fit_the_volumes_are_refused_before_a_job_starts(
    sizes: list[int], compute: dict[str, Any], sentence: str
) -> None:
    stubs = Stubs()
    contents = [
        {"Key": f"raw/digits/{place}.csv", "ETag": '"1"', "Size": size * 10**9}
        for place, size in enumerate(sizes)
    ]
    stubs.s3.add_response("list_objects_v2", {"Contents": contents})
    with pytest.raises(RunError, match=re.escape(sentence)) if sentence else nullcontext():
        raw_data.provide_data(
            stubs.clients.s3, "data", "raw/digits/", "digits", Compute.model_validate(compute)
        )
