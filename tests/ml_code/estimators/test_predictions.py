"""The quick ways to a library's predictions give what its estimators give, to the last bit."""

import importlib

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression

from ml_code.estimators.libraries import library_of


@pytest.mark.parametrize("rows", [1, 300])
@pytest.mark.parametrize(
    ("path", "classes"),
    [
        ("lightgbm.LGBMClassifier", 2),
        ("lightgbm.LGBMClassifier", 4),
        ("lightgbm.LGBMRegressor", 0),
        ("xgboost.XGBClassifier", 2),
        ("xgboost.XGBClassifier", 4),
        ("xgboost.XGBRegressor", 0),
        ("sklearn.linear_model.LogisticRegression", 2),
    ],
)
def test_the_predictions_are_those_of_the_estimator(path: str, classes: int, rows: int) -> None:
    library = library_of(path)
    library.provide_system_libraries()
    if classes:
        values, target = make_classification(300, 12, n_informative=6, n_classes=classes, random_state=7)
    else:
        values, target = make_regression(300, 12, random_state=7)
    quiet = {"verbosity": -1} if library.package == "lightgbm" else {}
    module, _, name = path.rpartition(".")
    estimator = getattr(importlib.import_module(module), name)(**quiet).fit(values, target)
    method = "predict_proba" if classes else "predict"
    expected = getattr(estimator, method)(values[:rows])
    for cores in (None, 1, 4):
        if cores:
            library.use_cores(estimator, cores)
        found = library.predict(estimator, method, values[:rows])
        assert found.shape == ((rows, classes) if classes else (rows,))
        assert np.array_equal(found, expected)
