"""A library that the project does not know: an entry in libraries.py, and its wheel, are all that it needs."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ml_code.estimators.libraries import LIBRARIES, LIBRARY_FOLDER, Library
from ml_code.estimators.saving import write_model
from ml_code.execution.job_wheels import job_pins
from ml_code.jobs.estimator import build_model, check_search
from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import read_raw
from ml_code.jobs.train import copy_library, train
from ml_code.release.deploy import serving_files
from ml_code.spec import ModelSpec, SpecError, parse_spec
from ml_code.table.text import write_csv
from ml_code.tracking.model_registry import RegisteredVersion
from tests.ml_code.table.test_bad_data import MODEL_YAML, rows, text

SOURCE = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

class NearestMean(ClassifierMixin, BaseEstimator):
    def __init__(self, sharpness=1.0):
        self.sharpness = sharpness

    def fit(self, values, codes):
        self.classes_ = np.unique(codes)
        self.means_ = np.array([values[codes == code].mean(axis=0) for code in self.classes_])
        return self

    def predict_proba(self, values):
        distances = np.linalg.norm(values[:, None] - self.means_, axis=2)
        scores = np.exp(-self.sharpness * (distances - distances.min(axis=1, keepdims=True)))
        return scores / scores.sum(axis=1, keepdims=True)

    def predict(self, values):
        return self.classes_[self.predict_proba(values).argmax(axis=1)]
"""
YAML = MODEL_YAML.replace(
    "sklearn.ensemble.HistGradientBoostingClassifier", "nearest_mean.NearestMean"
).replace(
    "max_iter: {type: integer, minimum: 5, maximum: 10}",
    "sharpness: {type: continuous, minimum: 0.1, maximum: 2}",
)
VERSION = RegisteredVersion(
    name="flights", version="1", run_id="r", commit="c", data_sha256="d", execution_arn="e", code_uri=""
)
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1] + "/code")
from pathlib import Path
from ml_code.inference import handler
model = handler.model_fn(sys.argv[1])
response = handler.transform_fn(model, Path(sys.argv[2]).read_bytes(), "text/csv", "application/json")
print(response.get_data(as_text=True))
"""


@pytest.fixture
def fourth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    wheels = tmp_path / "job" / "wheels"
    wheels.mkdir(parents=True)
    with zipfile.ZipFile(wheels / "nearest_mean-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("nearest_mean/__init__.py", SOURCE)
    monkeypatch.syspath_prepend(wheels / "nearest_mean-1.0-py3-none-any.whl")
    monkeypatch.chdir(tmp_path / "job")
    monkeypatch.setitem(LIBRARIES, "nearest_mean", Library("nearest_mean", "nearest-mean"))
    return parse_spec(YAML)


def test_it_is_refused_without_an_entry() -> None:
    with pytest.raises(
        SpecError, match="allowed: the import path of an estimator of sklearn, xgboost, lightgbm"
    ):
        parse_spec(YAML)


def test_it_is_trained_and_served_with_its_wheel(tmp_path: Path, fourth: ModelSpec) -> None:
    (tmp_path / "a.csv").write_text(text(rows(200)), encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "a.csv").rename(tmp_path / "data" / "a.csv")
    check_search(fourth)
    parts = split(read_raw(tmp_path / "data", fourth), fourth)
    model = train(fourth, {"sharpness": 0.5}, parts["train"])
    folder = tmp_path / "model"
    write_model(model, folder)
    copy_library(fourth, folder)
    assert [path.name for path in (folder / LIBRARY_FOLDER).iterdir()] == [
        "nearest_mean-1.0-py3-none-any.whl"
    ]
    (folder / "schema.json").write_text(json.dumps(fourth.request_schema().to_dict()))
    for name, content in serving_files(folder, VERSION).items():
        (tmp_path / "archive" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "archive" / name).write_bytes(content)

    features = parts["test"].drop(columns="late")
    (tmp_path / "request.csv").write_bytes(write_csv(features, fourth.request_schema()))
    arguments = [str(tmp_path / "archive"), str(tmp_path / "request.csv")]
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["probabilities"] == model.predict_proba(features).tolist()


def test_its_faults_are_named(fourth: ModelSpec) -> None:
    with pytest.raises(SpecError, match="unexpected keyword argument 'depth'"):
        build_model(fourth, {"depth": 3})


def test_its_wheel_travels_with_its_models_only(fourth: ModelSpec, tmp_path: Path) -> None:
    lock = tmp_path / "requirements-job.lock"
    lock.write_text(
        "nearest-mean==1.0 --hash=sha256:00\nxgboost-cpu==3.2.0 --hash=sha256:00\npydantic==2 --hash=sha256:00\n"
    )
    assert [pin.name for pin in job_pins(fourth.estimator, is_cluster=False, lock=lock)] == [
        "nearest-mean",
        "pydantic",
    ]
    assert [pin.name for pin in job_pins("xgboost.XGBClassifier", is_cluster=False, lock=lock)] == [
        "xgboost-cpu",
        "pydantic",
    ]
