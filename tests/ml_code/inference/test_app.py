"""The WSGI app of an endpoint, asked as SageMaker asks a container."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline
from werkzeug.test import Client

from ml_code.estimators.model import TableModel
from ml_code.inference.app import create_app
from ml_code.inference.handler import ServedModel
from ml_code.table.columns import Column, Dialect, Schema
from ml_code.table.rows import RowReader

CITIES = ("Köln", "Ulm")
SCHEMA = Schema(
    (Column(name="city", type="string", required=True, enum=CITIES),), dialect=Dialect(encoding="iso-8859-1")
)


@pytest.fixture(scope="module")
def client() -> Client:
    estimator = LinearRegression().fit(np.array([[0.0], [1.0]]), np.array([10.0, 20.0]))
    pipeline = Pipeline([("estimator", estimator)])
    lineage = {"model_version": "1", "run_id": "r", "commit": "c"}
    return Client(
        create_app(ServedModel(model=TableModel(SCHEMA, pipeline), reader=RowReader(SCHEMA), lineage=lineage))
    )


def predictions(client: Client, **request: Any) -> list[float]:
    response = client.post("/invocations", **request)
    assert response.status_code == 200, response.text
    return [round(each, 6) for each in json.loads(response.text)["predictions"]]


def test_it_answers_a_ping(client: Client) -> None:
    response = client.get("/ping")
    assert (response.status_code, response.data) == (200, b"")


def test_a_request_without_a_content_type_is_json(client: Client) -> None:
    assert predictions(client, data=b'[["Ulm"], ["K\\u00f6ln"]]') == [20.0, 10.0]


def test_csv_is_read_in_the_encoding_of_the_model_s_data(client: Client) -> None:
    assert predictions(client, data="Köln\n".encode("iso-8859-1"), content_type="text/csv") == [10.0]


def test_the_answer_has_the_type_that_the_request_accepts(client: Client) -> None:
    response = client.post(
        "/invocations", data=b"Ulm\n", content_type="text/csv", headers={"Accept": "text/csv"}
    )
    assert response.mimetype == "text/csv"
    assert response.text.startswith("prediction\n")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/invocations", 405), ("POST", "/", 404), ("GET", "/ping/x", 404)]
)
def test_other_requests_are_refused(client: Client, method: str, path: str, status: int) -> None:
    assert client.open(path, method=method).status_code == status


def test_a_body_in_chunks_is_read_to_its_end(client: Client) -> None:
    environ = {"wsgi.input": BytesIO(b"Ulm\n"), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    assert predictions(client, content_type="text/csv", environ_overrides=environ) == [20.0]


def test_a_body_that_ends_early_is_refused(client: Client) -> None:
    environ = {"wsgi.input": BytesIO(b"Ulm\nUl"), "CONTENT_LENGTH": "8"}
    response = client.post("/invocations", content_type="text/csv", environ_overrides=environ)
    assert response.status_code == 400
    assert (
        json.loads(response.text)["error"]
        == "the body has 6 bytes, and Content-Length says 8; send all of it"
    )


def test_a_body_that_cannot_be_read_is_refused(client: Client) -> None:
    class Cut:
        def read(self, size: int = -1) -> bytes:
            raise OSError("invalid chunk size")

    for length in ("", "8"):
        environ = {"wsgi.input": Cut(), "wsgi.input_terminated": True, "CONTENT_LENGTH": length}
        response = client.post("/invocations", content_type="text/csv", environ_overrides=environ)
        assert response.status_code == 400
        assert json.loads(response.text)["error"] == "the body cannot be read: invalid chunk size"


@pytest.mark.parametrize("length", ["6000000", ""])
def test_a_large_body_is_refused_without_reading_it_all(client: Client, length: str) -> None:
    body = BytesIO(b"Ulm\n" * 2_000_000)
    environ = {"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_LENGTH": length}
    response = client.post("/invocations", content_type="text/csv", environ_overrides=environ)
    assert response.status_code == 413
    assert body.tell() < 5_300_000


def test_a_request_without_a_body_is_refused_and_not_waited_for(client: Client) -> None:
    class Endless:
        def read(self) -> Iterator[bytes]:
            raise AssertionError("it would wait for a body that never comes")

    environ = {"wsgi.input": Endless(), "wsgi.input_terminated": False, "CONTENT_LENGTH": ""}
    response = client.post("/invocations", content_type="text/csv", environ_overrides=environ)
    assert response.status_code == 400
    assert "empty" in response.text
