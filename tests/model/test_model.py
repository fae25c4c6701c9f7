"""What a push of the model can break: its description, its sample data, a little training, its pipeline.

A build waits for these tests, so they take seconds. They hold for any model.
"""

import json
import math
import os
from typing import Any

import pandas as pd
import pytest

from ml_code.contracts import Variable
from ml_code.estimators.model import TableModel
from ml_code.estimators.saving import write_model
from ml_code.inference import handler
from ml_code.jobs.estimator import build_model, check_search
from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import read_raw
from ml_code.pipeline.definition import pipeline_definition
from ml_code.pipeline.settings import PipelineSettings
from ml_code.release.deploy import serving_files
from ml_code.spec import ModelSpec, find_model, load_spec, model_folders, sample_data
from ml_code.table.text import write_csv
from ml_code.tracking.model_registry import RegisteredVersion
from tests.pipeline_requests import dangling_references, invalid_requests

TRAINED_ROWS = 300
SETTINGS = PipelineSettings(
    pipeline_name="model-factory-model",
    model_name="model",
    region="eu-central-1",
    role_arn="arn:aws:iam::123456789012:role/jobs",
    artifact_bucket="artifacts",
    mlflow_tracking_uri="arn:aws:sagemaker:eu-central-1:123456789012:mlflow-app/app",
    image_uri="1.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
)
VERSION = RegisteredVersion(
    name="model", version="1", run_id="run", commit="c", data_sha256="d", execution_arn="e", code_uri="u"
)


def _models() -> list[str]:
    """The models of the project, or those that a build tests."""
    chosen = os.environ.get(Variable.MODEL_NAMES)
    return chosen.split(",") if chosen else [folder.name for folder in model_folders()]


@pytest.fixture(scope="module", params=_models())
def spec(request: pytest.FixtureRequest) -> ModelSpec:
    return load_spec(name=request.param)


@pytest.fixture(scope="module")
def parts(spec: ModelSpec) -> dict[str, pd.DataFrame]:
    """Of the sample data; a model whose data are in the data bucket only has none."""
    folder = find_model(name=spec.name) / "data"
    if not sample_data(name=spec.name):
        pytest.skip(f"{folder} has no sample data")
    frame = read_raw(folder, spec)
    return split(frame, spec)


@pytest.fixture(scope="module")
def model(spec: ModelSpec, parts: dict[str, pd.DataFrame]) -> TableModel:
    """Fitted on a few rows, in the middle of the search space."""
    rows = parts["train"].head(TRAINED_ROWS)
    searched = {name: found.samples()[-1] for name, found in spec.search.items()}
    return build_model(spec, searched).fit(rows.drop(columns=spec.target.name), rows[spec.target.name])


@pytest.fixture(scope="module")
def answer(
    spec: ModelSpec,
    parts: dict[str, pd.DataFrame],
    model: TableModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """Of the model archive to two test rows."""
    folder = tmp_path_factory.mktemp("model")
    write_model(model, folder)
    (folder / "schema.json").write_text(json.dumps(spec.request_schema().to_dict()))
    for name, content in serving_files(folder, VERSION).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    body = write_csv(parts["test"].head(2), spec.request_schema())
    response = handler.transform_fn(handler.model_fn(str(folder)), body, "text/csv", "application/json")
    assert response.status_code == 200, response.get_data()
    return dict(json.loads(response.get_data()))


def test_the_estimator_takes_its_parameters_and_all_that_is_searched(spec: ModelSpec) -> None:
    check_search(spec)


def test_every_part_of_the_sample_data_has_rows(parts: dict[str, pd.DataFrame]) -> None:
    assert all(len(part) for part in parts.values())


def test_the_model_trains_and_answers(
    answer: dict[str, Any], parts: dict[str, pd.DataFrame], spec: ModelSpec
) -> None:
    assert len(answer["predictions"]) == 2
    if spec.is_classification:
        assert set(answer["predictions"]) <= set(parts["train"][spec.target.name].tolist())
    else:
        assert all(map(math.isfinite, answer["predictions"]))


@pytest.fixture(scope="module")
def definition(spec: ModelSpec) -> dict[str, Any]:
    return dict(json.loads(pipeline_definition(spec, SETTINGS)))


def test_each_request_of_the_pipeline_has_the_shape_that_sagemaker_takes(definition: dict[str, Any]) -> None:
    assert definition["Steps"]
    assert invalid_requests(definition) == []


def test_each_property_that_the_pipeline_refers_to_is_in_sagemaker_s_answer(
    definition: dict[str, Any],
) -> None:
    assert dangling_references(definition) == []
