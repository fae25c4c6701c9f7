"""Models as files: those of XGBoost and LightGBM in the libraries' own formats, and the same to the last bit."""

import pickle
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.models import Model

from ml_code.estimators.model import TableModel
from ml_code.estimators.openmp import provide_openmp
from ml_code.estimators.saving import MODEL_FILE, load_model, model_files, read_files, write_model
from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import read_raw
from ml_code.jobs.train import pyfunc_signature, save_model, serving_packages, train
from ml_code.spec import ModelSpec, load_spec

EXAMPLES = Path(__file__).parents[3] / "examples"
OTHERS = {
    "sklearn.ensemble.HistGradientBoostingClassifier": [],
    "xgboost.XGBClassifier": ["own_formats/0.ubj"],
    "lightgbm.LGBMClassifier": ["own_formats/0.txt"],
}


@pytest.fixture(scope="module")
def flights() -> tuple[ModelSpec, dict[str, pd.DataFrame]]:
    spec = load_spec(EXAMPLES / "flights" / "model.yaml")
    return spec, split(read_raw(EXAMPLES / "flights" / "data", spec), spec)


def fitted(spec: ModelSpec, parts: dict[str, pd.DataFrame], estimator: str) -> tuple[ModelSpec, TableModel]:
    rounds = "max_iter" if estimator.startswith("sklearn") else "n_estimators"
    of_estimator = {"verbosity": -1} if estimator.startswith("lightgbm") else {}
    changed = spec.model_copy(update={"estimator": estimator, "hyperparameters": of_estimator})
    return changed, train(changed, {rounds: 40}, parts["train"])


@pytest.mark.parametrize("estimator", OTHERS)
def test_a_loaded_model_predicts_the_same(
    flights: tuple[ModelSpec, dict[str, pd.DataFrame]], estimator: str, tmp_path: Path
) -> None:
    spec, parts = flights
    _, model = fitted(spec, parts, estimator)
    write_model(model, tmp_path)
    files = read_files(tmp_path)
    assert list(files) == [MODEL_FILE, *OTHERS[estimator]]
    features = parts["test"].drop(columns="late")
    again = load_model(files)
    assert np.array_equal(again.predict_proba(features), model.predict_proba(features))
    # Saved again, nothing is lost.
    assert model_files(again).keys() == files.keys()
    assert np.array_equal(
        load_model(model_files(again)).predict_proba(features), model.predict_proba(features)
    )
    if own := OTHERS[estimator]:
        assert len(files[MODEL_FILE]) < len(files[own[0]])


@pytest.mark.parametrize("estimator", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def test_the_library_reads_its_own_file(
    flights: tuple[ModelSpec, dict[str, pd.DataFrame]], estimator: str, tmp_path: Path
) -> None:
    _, model = fitted(*flights, estimator)
    write_model(model, tmp_path)
    (file,) = (tmp_path / "own_formats").iterdir()
    if estimator.startswith("xgboost"):
        import xgboost

        assert xgboost.Booster(model_file=str(file)).num_boosted_rounds() == 40
    else:
        provide_openmp()
        import lightgbm

        assert lightgbm.Booster(model_file=str(file)).num_trees() == 40


@pytest.mark.parametrize("estimator", OTHERS)
def test_mlflow_loads_the_model(
    flights: tuple[ModelSpec, dict[str, pd.DataFrame]],
    estimator: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # MLflow makes a database in the working directory
    spec, parts = flights
    spec, model = fitted(spec, parts, estimator)
    # MLflow joins columns of any type to others by their places, not by the frame's index.
    features = parts["test"].drop(columns="late").reset_index(drop=True)
    folder = tmp_path / "model"
    libraries = serving_packages(spec)
    save_model(
        model,
        folder,
        signature=pyfunc_signature(spec),
        example=features.head(1),
        mlflow_model=Model(),
        libraries=libraries,
    )
    loaded = mlflow.pyfunc.load_model(str(folder))
    assert loaded.predict(features).tolist() == model.predict(features).tolist()


def test_a_pickle_of_former_versions_is_the_whole_model(
    flights: tuple[ModelSpec, dict[str, pd.DataFrame]],
) -> None:
    spec, parts = flights
    _, model = fitted(spec, parts, "xgboost.XGBClassifier")
    features = parts["test"].drop(columns="late")
    former = load_model({MODEL_FILE: pickle.dumps(model)})
    assert np.array_equal(former.predict_proba(features), model.predict_proba(features))
