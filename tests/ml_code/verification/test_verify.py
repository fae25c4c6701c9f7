"""`python -m ml_code.verification.verify` against a real registry and the real request code behind a fake wire."""

import io
import json
import pickle
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from ml_code.estimators.model import TableModel
from ml_code.inference import handler
from ml_code.spec import load_spec
from ml_code.table.columns import Column, Schema
from ml_code.tracking import model_registry
from ml_code.verification import invoke, verify
from ml_code.verification.report_html import LINEAGE, write_page
from ml_code.verification.report_link import report_url
from ml_code.verification.test_rows import LabelledRows

SPEC = load_spec(Path(__file__).parents[2] / "example_model.yaml")
PIXELS = SPEC.request_schema().names
TARGET = SPEC.target.name


def digits() -> pd.DataFrame:
    """Images with one black pixel, whose place tells the label: learnt in no time."""
    labels = np.repeat(np.arange(10), 12)
    pixels = np.zeros((len(labels), len(PIXELS)))
    pixels[np.arange(len(labels)), labels * 6] = 16.0
    return pd.DataFrame(pixels, columns=PIXELS).assign(**{TARGET: labels})


class Runtime:
    """SageMaker's InvokeEndpoint in front of the handler."""

    def __init__(self, model_dir: Path) -> None:
        self.model = handler.model_fn(str(model_dir))
        self.refuses = True

    def invoke_endpoint(
        self, EndpointName: str, ContentType: str, Body: bytes, InferenceId: str, Accept: str = "*/*"
    ) -> Any:
        response = handler.transform_fn(self.model, Body, ContentType, Accept)
        if response.status_code == 200 or not self.refuses:
            return {"Body": io.BytesIO(response.get_data())}
        raise ClientError(
            {  # type: ignore[typeddict-unknown-key]
                "Error": {"Code": "ModelError", "Message": response.get_data(as_text=True)},
                "OriginalStatusCode": response.status_code,
            },
            "InvokeEndpoint",
        )


class World:
    def __init__(self, folder: Path) -> None:
        self.client = model_registry.connect(f"sqlite:///{folder / 'mlflow.db'}")
        experiment = self.client.create_experiment("digits", artifact_location=str(folder / "runs"))
        self.run_id = self.client.create_run(experiment).info.run_id
        self.client.create_registered_model("digits")
        self.client.create_model_version(
            "digits", folder.as_uri(), run_id=self.run_id, tags={"commit": "c0ffee00"}
        )
        frame = digits()
        frame.to_csv(folder / "test.csv", index=False)
        self.client.log_artifact(self.run_id, str(folder / "test.csv"))

        pipeline = Pipeline([("estimator", LogisticRegression())])
        model = TableModel(SPEC.request_schema(), pipeline, SPEC.classes).fit(frame[PIXELS], frame[TARGET])
        (folder / "model.pkl").write_bytes(pickle.dumps(model))
        facts = {"version": "1", "run_id": self.run_id, "commit": "c0ffee00"}
        schema = {"schema": SPEC.request_schema().to_dict()}
        (folder / "metadata.json").write_text(json.dumps(facts | schema))
        self.runtime = Runtime(folder)

    def deploy_other(self, **lineage: str) -> None:
        """Have the endpoint serve something that the registry does not name."""
        self.runtime.model.lineage.update(lineage)

    def mislead(self) -> None:
        """Have the endpoint serve a model that takes every image for the first class."""
        estimator = self.runtime.model.model.pipeline.named_steps["estimator"]
        estimator.intercept_[:] = [1000, *[0] * 9]


@pytest.fixture
def world(empty_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    shutil.copy(empty_registry, tmp_path)
    world = World(tmp_path)
    monkeypatch.setattr(boto3, "client", lambda service: world.runtime)
    monkeypatch.setattr(verify, "load_spec", lambda name="": SPEC)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setattr(sys, "argv", ["verify", "--model", "models:/digits/1"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("ENDPOINT_NAME", "model-factory-staging")
    monkeypatch.setenv("STAGE", "staging")
    monkeypatch.chdir(tmp_path)
    return world


def test_good_endpoint_is_verified_and_the_proof_kept(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify.main()
    result = json.loads((tmp_path / "verification.json").read_text())
    assert result["passed"]
    assert (result["value"], result["n"], result["mistakes"]) == (1.0, 120, [])
    assert (result["model_version"], result["run_id"], result["commit"]) == ("1", world.run_id, "c0ffee00")
    assert 0 < result["latency"]["p50_ms"] <= result["latency"]["p95_ms"] <= result["latency"]["p99_ms"]
    assert (tmp_path / "verification.png").read_bytes().startswith(b"\x89PNG")
    kept = {file.path for file in world.client.list_artifacts(world.run_id, "verification/staging")}
    assert kept == {f"verification/staging/verification.{kind}" for kind in ("json", "png", "html")}
    assert world.run_id in capsys.readouterr().out


def test_bad_model_fails_with_its_mistakes_on_record(world: World, tmp_path: Path) -> None:
    world.mislead()
    with pytest.raises(SystemExit, match=r"below the gate.*accuracy 0\.1000"):
        verify.main()
    result = json.loads((tmp_path / "verification.json").read_text())
    assert not result["passed"]
    assert len(result["mistakes"]) == 108
    assert result["mistakes"][0] == {"row": 13, "true": 1, "predicted": 0}
    assert world.client.list_artifacts(world.run_id, "verification/staging")


@pytest.mark.parametrize("key", ["model_version", "run_id", "commit"])
def test_endpoint_that_serves_another_version_fails(world: World, key: str) -> None:
    world.deploy_other(**{key: "other"})
    with pytest.raises(SystemExit, match=f"{key}.*other.*registry says"):
        verify.main()


def test_endpoint_that_takes_anything_fails(world: World) -> None:
    world.runtime.refuses = False
    with pytest.raises(SystemExit, match="a bad request must get 4xx"):
        verify.main()


def test_endpoint_that_reads_rows_without_a_header_otherwise_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = world.runtime.invoke_endpoint

    def turned(**request: Any) -> Any:
        if b"pixel" not in request["Body"]:
            request["Body"] = b",".join(reversed(request["Body"].strip().split(b",")))
        return answer(**request)

    monkeypatch.setattr(world.runtime, "invoke_endpoint", turned)
    with pytest.raises(
        SystemExit, match="for row 1 alone without a header line, and 0 among others with one"
    ):
        verify.main()


def test_endpoint_that_does_not_exist_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**request: Any) -> Any:
        message = "Endpoint model-factory-staging of account 123456789012 not found."
        raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "InvokeEndpoint")

    monkeypatch.setattr(world.runtime, "invoke_endpoint", missing)
    with pytest.raises(SystemExit, match=r"model-factory-staging does not exist: release"):
        verify.main()


def test_version_without_test_data_is_named(world: World, tmp_path: Path) -> None:
    (tmp_path / "runs" / world.run_id / "artifacts" / "test.csv").unlink()
    with pytest.raises(SystemExit, match=r"no artifact test\.csv.*digits version 1"):
        verify.main()


def test_percentiles() -> None:
    assert invoke.percentiles_ms([float(n) for n in range(101)]) == {
        "p50_ms": 50.0,
        "p95_ms": 95.0,
        "p99_ms": 99.0,
    }


def test_page_shows_what_was_measured_and_where_it_came_from(world: World, tmp_path: Path) -> None:
    verify.main()
    page = (tmp_path / "verification.html").read_text()
    assert len(page) < 400_000
    for shown in ("1.0000", "passed", "data:image/png;base64,", world.run_id, "c0ffee00", "p99_ms"):
        assert shown in page
    assert "<script" not in page
    assert not re.search("https?:", page), "it must need nothing from elsewhere"


def test_page_takes_hostile_data_for_text(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>'
    frame = pd.DataFrame({evil: [1.0, 2.0], "height": [3.0, 4.0]})
    test_rows = LabelledRows(frame, [evil, "b"], Schema((Column(name=evil), Column(name="height"))))
    answers = invoke.Answers(["b", "b"], [[0.1, 0.9], [0.2, 0.8]], [1.0])
    spec = SPEC.model_copy(update={"image": None})
    facts = dict.fromkeys(LINEAGE, evil)
    numbers = {"passed": False, "metric": "accuracy", "value": 0.5, "threshold": 0.9, "n": 2}
    measured = {"task": "classification", "metrics": {evil: 0.5}}
    result = {**facts, **numbers, **measured, "mistakes": [1], "latency": {evil: evil}}
    path, picture = tmp_path / "page.html", tmp_path / "picture.png"
    picture.write_bytes(b"png")
    write_page(path, spec=spec, result=result, test_rows=test_rows, answers=answers, picture=picture)
    page = path.read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 5
    assert 'class="wrong">b</td>' in page


def test_a_report_in_s3_opens_in_the_console(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def get_run(self, run_id: str) -> Any:
            return SimpleNamespace(info=SimpleNamespace(artifact_uri=uri, experiment_id="7"))

    client: Any = Client()
    uri = "s3://artifacts/mlflow/7/r1/artifacts"
    url = report_url(client, "r1", "verification/staging/verification.html", "arn:app")
    assert url == (
        "https://eu-central-1.console.aws.amazon.com/s3/object/artifacts?region=eu-central-1"
        "&prefix=mlflow%2F7%2Fr1%2Fartifacts%2Fverification%2Fstaging%2Fverification.html"
    )
    uri = "mlflow-artifacts:/7/r1/artifacts"
    assert report_url(client, "r1", "x.html", "http://mlflow") == (
        "http://mlflow#/experiments/7/runs/r1/artifacts/x.html"
    )
