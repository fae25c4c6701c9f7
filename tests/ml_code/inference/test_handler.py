"""Requests against a model archive, unpacked and loaded as the scikit-learn image loads it."""

import io
import json
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ml_code.estimators.model import TableModel
from ml_code.inference import handler
from ml_code.release.deploy import serving_files
from ml_code.release.model_archive import build_archive
from ml_code.table.columns import Column, Schema
from ml_code.tracking.model_registry import RegisteredVersion

SCHEMA = Schema(
    (
        Column(name="width", required=True, minimum=0, maximum=10),
        Column(name="height", required=True, minimum=0, maximum=10),
        Column(name="holes", required=True, type="integer", minimum=0, maximum=3),
    )
)
VERSION = RegisteredVersion(
    name="shapes",
    version="7",
    run_id="run7",
    commit="c0ffee",
    data_sha256="d1",
    execution_arn="arn:e",
    code_uri="",
)
ROW = [1.5, 9.0, 2]


def fitted_model() -> TableModel:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.uniform(0, 10, (200, 3)), columns=SCHEMA.names)
    target = np.where(frame["width"] > frame["height"], "wide", "tall")
    pipeline = Pipeline([("scaler", StandardScaler()), ("estimator", LogisticRegression())])
    return TableModel(SCHEMA, pipeline, ("tall", "wide")).fit(frame, pd.Series(target))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model archive."""
    registered = tmp_path_factory.mktemp("registered")
    (registered / "model.pkl").write_bytes(pickle.dumps(fitted_model()))
    (registered / "schema.json").write_text(json.dumps(SCHEMA.to_dict()))
    content = build_archive(serving_files(registered, VERSION))
    folder = tmp_path_factory.mktemp("served")
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def inference(archive: Path) -> ModuleType:
    handler.MODEL = handler.model_fn(str(archive))  # type: ignore[attr-defined]
    return handler


def ask(
    inference: ModuleType, content: Any, content_type: str = "application/json", accept: str = "*/*"
) -> tuple[int, Any]:
    body = content if isinstance(content, str | bytes) else json.dumps(content)
    response = inference.transform_fn(inference.MODEL, body, content_type, accept)
    text = response.get_data(as_text=True)
    return response.status_code, json.loads(text) if response.mimetype == "application/json" else text


def test_only_archive_files_are_loaded(archive: Path, tmp_path: Path) -> None:
    code = archive / "code"
    program = (
        f"import sys; sys.path.insert(0, {str(code)!r}); import ml_code.inference.handler; "
        "print(*sorted(m.__file__ for name, m in sys.modules.items() if name.split('.')[0] == 'ml_code'))"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.split()
    assert loaded
    assert not [path for path in loaded if not path.startswith(f"{code}/")]


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ({"instances": [ROW]}, "application/json"),
        ({"instances": [dict(zip(SCHEMA.names, ROW, strict=True))]}, "application/json"),
        ({"dataframe_records": [dict(zip(reversed(SCHEMA.names), reversed(ROW)))]}, "application/json"),  # noqa: B905
        ({"dataframe_split": {"columns": SCHEMA.names, "data": [ROW]}}, "application/json"),
        ({"columns": ["holes", "width", "height"], "data": [[2, 1.5, 9.0]]}, "application/json"),
        ([ROW], "application/json; charset=utf-8"),
        ("1.5,9.0,2", "text/csv"),
        (b"1.5,9.0,2\r\n", "text/csv; charset=utf-8"),
        ("\ufeffwidth,height,holes\n1.5,9.0,2\n", "text/csv"),
        ("holes, width, height\n2,1.5,9.0\n", "Text/CSV"),
    ],
)
def test_each_form_of_a_row_gets_the_model_s_own_answer(
    inference: ModuleType, content: Any, content_type: str
) -> None:
    model = fitted_model()
    frame = pd.DataFrame([ROW], columns=SCHEMA.names)
    status, answer = ask(inference, content, content_type)
    assert status == 200, answer
    assert answer["predictions"] == model.predict(frame).tolist() == ["tall"]
    assert answer["probabilities"] == pytest.approx(model.predict_proba(frame))
    assert answer["classes"] == ["tall", "wide"]
    assert (answer["model_version"], answer["run_id"], answer["commit"]) == ("7", "run7", "c0ffee")


def test_many_rows_keep_their_order(inference: ModuleType) -> None:
    rows = [[1, 9, 0], [9, 1, 0], [2, 8, 3]]
    assert ask(inference, rows)[1]["predictions"] == ["tall", "wide", "tall"]


def test_csv_answer(inference: ModuleType) -> None:
    response = inference.transform_fn(inference.MODEL, "1,9,0\n9,1,0\n", "text/csv", "text/csv")
    lines = response.get_data(as_text=True).splitlines()
    assert lines[0] == "prediction,probability_tall,probability_wide"
    assert [line.split(",")[0] for line in lines[1:]] == ["tall", "wide"]
    attributes = response.headers["X-Amzn-SageMaker-Custom-Attributes"]
    assert attributes == "model_version=7,run_id=run7,commit=c0ffee"


@pytest.mark.parametrize(
    ("content", "content_type", "status", "said"),
    [
        ("<rows/>", "application/xml", 415, ["application/xml", "application/json", "text/csv"]),
        ("", "application/json", 400, ["empty", "width"]),
        (" \n", "text/csv", 400, ["empty", "width"]),
        ('{"instances": [[1, 2', "application/json", 400, ["not valid JSON"]),
        (b'{"instances": "\xff"}', "application/json", 400, ["not valid JSON"]),
        ("[" * 200_000, "application/json", 400, ["not valid JSON"]),
        ("5", "application/json", 400, ["instances"]),
        ({"rows": [ROW]}, "application/json", 400, ["rows", "instances"]),
        ({"instances": []}, "application/json", 400, ["no rows"]),
        ({"instances": 5}, "application/json", 400, ["no rows"]),
        ({"instances": [5]}, "application/json", 400, ["row 1", "list of 3 values"]),
        ({"instances": [ROW, {"width": 1}]}, "application/json", 400, ["row 2"]),
        ({"columns": 5, "data": [ROW]}, "application/json", 400, ["columns", "5"]),
        ({"columns": [[1], 2, 3], "data": [ROW]}, "application/json", 400, ["columns"]),
        # Missing, extra, renamed, doubled columns
        ({"columns": ["width", "height"], "data": [[1, 2]]}, "application/json", 400, ["'holes' missing"]),
        ({"columns": [*SCHEMA.names, "x"], "data": [[1, 2, 3, 4]]}, "application/json", 400, ["'x'"]),
        ({"columns": [*SCHEMA.names, "holes"], "data": [[1, 2, 3, 3]]}, "application/json", 400, ["twice"]),
        ([{"width": 1, "height": 2, "hole": 3}], "application/json", 400, ["row 1", "'holes'", "'hole'"]),
        ("width,height,hole\n1,2,3\n", "text/csv", 400, ["'holes' missing", "'hole' not expected"]),
        ("a,b,c\n1,2,3\n", "text/csv", 400, ["'width'", "'a'"]),
        ("width,height\n1,2\n", "text/csv", 400, ["'holes' missing"]),
        (",width,height,holes\n0,1,2,3\n", "text/csv", 400, ["'' not expected"]),
        ("width,height,height\n1,2,3\n", "text/csv", 400, ["'holes' missing", "'height' given twice"]),
        ("width,7,holes\n1,2,3\n", "text/csv", 400, ["column 'width', row 1: 'width'"]),
        ("1,2,3\n1,2\n", "text/csv", 400, ["row 2", "2 values", "3 columns"]),
        ("1,2,3,4\n", "text/csv", 400, ["row 1", "4 values", "3 columns"]),
        ("width,height,holes\n", "text/csv", 400, ["no rows"]),
        # Text in numbers
        ([[1, 2, 3], [1, "two", 3]], "application/json", 400, ["'height'", "row 2", "'two'", "from 0 to 10"]),
        ([["1", 2, 3]], "application/json", 400, ["'width'", "row 1", "'1'"]),
        ([[True, 2, 3]], "application/json", 400, ["'width'", "True"]),
        ([[None, 2, 3]], "application/json", 400, ["'width'", "row 1", "None"]),
        ([[[1], 2, 3]], "application/json", 400, ["'width'", "[1]"]),
        ("1,2,3\n1,two,3\n", "text/csv", 400, ["'height'", "row 2", "'two'"]),
        ("1,1_0,3\n", "text/csv", 400, ["'height'", "'1_0'"]),
        ("1,,3\n", "text/csv", 400, ["'height'", "row 1"]),
        ('1,"2,3\n', "text/csv", 400, ["not valid CSV"]),
        (b"1,\xff,3\n", "text/csv", 400, ["UTF-8"]),
        # Not a number of the schema
        ('{"instances": [[NaN, 2, 3]]}', "application/json", 400, ["'width'", "nan"]),
        ('{"instances": [[1, -Infinity, 3]]}', "application/json", 400, ["'height'", "inf"]),
        ("1,2,3\nnan,2,3\n", "text/csv", 400, ["'width'", "row 2", "nan"]),
        ("1,inf,3\n", "text/csv", 400, ["'height'", "inf"]),
        ([[1, 11, 3]], "application/json", 400, ["'height'", "11", "from 0 to 10"]),
        ([[1, 1, 1.5]], "application/json", 400, ["'holes'", "1.5", "whole number"]),
        ([[10**400, 1, 1]], "application/json", 400, ["'width'", "inf"]),
        (
            {"columns": ["holes", "height", "width"], "data": [[1, -(10**400), 1]]},
            "application/json",
            400,
            ["'height'"],
        ),
    ],
)
def test_bad_request_is_told_what_to_do(
    inference: ModuleType, content: Any, content_type: str, status: int, said: list[str]
) -> None:
    found_status, answer = ask(inference, content, content_type)
    assert found_status == status, answer
    assert [text for text in said if text not in answer["error"]] == []
    assert ask(inference, [ROW])[0] == 200, "the endpoint must go on answering"


def test_body_of_6_mb_is_too_large(inference: ModuleType) -> None:
    status, answer = ask(inference, b"1,2,3\n" * 1_000_000, "text/csv")
    assert status == 413
    assert "fewer rows" in answer["error"]


def test_long_value_is_not_sent_back_whole(inference: ModuleType) -> None:
    status, answer = ask(inference, [["x" * 100_000, 2, 3]])
    assert status == 400
    assert len(answer["error"]) < 1000
    assert "'width'" in answer["error"] or "from 0 to 10" in answer["error"]


def test_unknown_accept(inference: ModuleType) -> None:
    status, answer = ask(inference, [ROW], accept="application/x-npy")
    assert status == 406
    assert "application/json" in answer["error"]


def test_model_that_raises_answers_500_and_lives(
    inference: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            inference.MODEL.model.pipeline.named_steps["estimator"], "predict_proba", lambda values: 1 / 0
        )
        status, answer = ask(inference, [ROW])
    assert status == 500
    assert "log" in answer["error"]
    assert "ZeroDivisionError" in caplog.text
    assert ask(inference, [ROW])[0] == 200


def test_archive_of_same_files_has_same_bytes() -> None:
    assert build_archive({"b": b"1", "a": b"2"}) == build_archive({"a": b"2", "b": b"1"})
    assert build_archive({"a": b"2"}) != build_archive({"a": b"3"})


# Batches: a line for each line


def lines(inference: ModuleType, content: Any) -> tuple[int, list[Any]]:
    status, text = ask(inference, content, "text/csv", "application/jsonlines")
    return status, [json.loads(line) for line in text.split("\n")] if status == 200 else [text]


def test_each_line_of_a_batch_gets_its_own_answer(inference: ModuleType) -> None:
    body = b"\n".join(
        (
            b"1.5,9,2",
            b"",
            b"1.5,9",
            b"1.5,tall,2",
            b"1.5,99,2",
            b"1.5,nan,2",
            b"1.5,9,2.5",
            b"\xff\xfe,9,2",
            b"9, 1.5 ,2\r",
            b"width,height,holes",
            b"1_0,9,2",
        )
    )
    status, answers = lines(inference, body + b"\n")
    assert status == 200
    reasons = [answer.get("error") for answer in answers]
    assert [index for index, reason in enumerate(reasons) if reason is None] == [0, 8]
    assert [answers[0]["prediction"], answers[8]["prediction"]] == ["tall", "wide"]
    _, alone = ask(inference, "1.5,9,2", "text/csv")
    assert answers[0]["probabilities"] == pytest.approx(alone["probabilities"][0])
    assert reasons[1].startswith("the line is empty")
    assert reasons[2] == "2 values; give 3 columns (width, height, holes)"
    assert reasons[3] == "column 'height': 'tall' is not allowed; give a number from 0 to 10"
    assert reasons[4] == "column 'height': 99.0 is not allowed; give a number from 0 to 10"
    assert "'height': 'nan'" in reasons[5]
    assert reasons[6] == "column 'holes': 2.5 is not allowed; give a whole number from 0 to 3"
    assert "column 'width'" in reasons[7]
    assert "column 'width': 'width' is not allowed" in reasons[9]
    assert "'1_0'" in reasons[10]


def test_a_batch_of_bad_lines_only_is_answered(inference: ModuleType) -> None:
    status, answers = lines(inference, "a\n11,1,1")
    assert (status, ["error" in answer for answer in answers]) == (200, [True, True])


def test_the_header_of_a_batch_must_be_the_schema_s(inference: ModuleType) -> None:
    status, answers = lines(inference, "width,height,holes\n1.5,9,2")
    assert status == 200
    assert answers[0] == {"header": ["width", "height", "holes"]}
    assert answers[1]["prediction"] == "tall"
    status, _ = lines(inference, "height,width,holes\n1.5,9,2")
    assert status == 400


def test_a_batch_is_csv(inference: ModuleType) -> None:
    status, answer = ask(inference, {"instances": [ROW]}, accept="application/jsonlines")
    assert (status, "Content-Type must be text/csv" in answer["error"]) == (415, True)
