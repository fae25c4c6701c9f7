"""The models of examples/, each of a library that the image lacks, served by AWS's toolkit in the image's packages.

A row gets the same number alone, in a batch, and from the model in this process: to the last bit.
"""

import json
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from ml_code.estimators.libraries import LIBRARY_FOLDER, library_of
from ml_code.estimators.saving import write_model
from ml_code.execution import job_wheels
from ml_code.inference.container import container
from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import read_raw
from ml_code.jobs.train import choose_threshold, train
from ml_code.release.deploy import serving_files
from ml_code.release.model_archive import build_archive
from ml_code.spec import ModelSpec, load_spec
from ml_code.table.text import write_csv
from ml_code.tracking.model_registry import RegisteredVersion
from operations.benchmarks.http_load import Started, server

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "examples"
VERSION = RegisteredVersion(
    name="example", version="7", run_id="r", commit="c", data_sha256="d", execution_arn="e", code_uri=""
)


def library_wheel(spec: ModelSpec, folder: Path) -> dict[str, bytes]:
    """The wheel of the job lock alone."""
    name = library_of(spec.estimator).distribution
    (entry,) = re.findall(rf"^{name}==.*(?:\n    --hash=.*)*", job_wheels.LOCK.read_text(), re.MULTILINE)
    lock = folder / "one.lock"
    lock.write_text(f"{entry}\n")
    return job_wheels.download(lock)


def ask(started: Started, body: bytes, accept: str) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{started.port}/invocations",
        data=body,
        headers={"Content-Type": "text/csv", "Accept": accept},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return str(answer.read().decode())


@pytest.mark.parametrize("name", ["diabetes", "flights"])
def test_an_example_is_served(name: str, tmp_path: Path) -> None:
    spec = load_spec(EXAMPLES / name / "model.yaml")
    parts = split(read_raw(EXAMPLES / name / "data", spec), spec)
    model = train(spec, {key: found.samples()[-1] for key, found in spec.search.items()}, parts["train"])
    choose_threshold(spec, model, parts["validation"])
    (tmp_path / LIBRARY_FOLDER).mkdir()
    for wheel, content in library_wheel(spec, tmp_path).items():
        (tmp_path / LIBRARY_FOLDER / wheel).write_bytes(content)
    write_model(model, tmp_path)
    (tmp_path / "schema.json").write_text(json.dumps(spec.request_schema().to_dict()))
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(build_archive(serving_files(tmp_path, VERSION)))

    rows = parts["test"].head(50).drop(columns=spec.target.name)
    body = write_csv(rows, spec.request_schema())
    _, *lines = body.splitlines(keepends=True)
    variables = container("", "", "")["Environment"]
    options = [part for item in variables.items() for part in ("--env", "=".join(item))]
    command = [sys.executable, "-m", "localaws", "serve", str(archive), *options, "--port", "{port}"]
    with server(name, command, {}) as started:
        together = json.loads(ask(started, body, "application/json"))
        alone = [json.loads(ask(started, line, "application/json")) for line in lines[:10]]
        batch = [json.loads(line) for line in ask(started, body, "application/jsonlines").splitlines()[1:]]
    predictions: list[Any] = model.predict(rows).tolist()
    assert together["predictions"] == [line["prediction"] for line in batch] == predictions
    assert [answer["predictions"][0] for answer in alone] == predictions[:10]
    if spec.is_classification:
        expected = model.predict_proba(rows).tolist()
        assert together["probabilities"] == [line["probabilities"] for line in batch] == expected
        assert [answer["probabilities"][0] for answer in alone] == expected[:10]
