"""The same commit, data and seed give the same parts, metrics and predictions: two trainings, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[3]
PROGRAM = """
import hashlib, json, sys
from pathlib import Path
import pandas as pd
from ml_code.jobs.evaluate import evaluate
from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import read_raw
from ml_code.jobs.train import choose_threshold, train
from ml_code.spec import ModelSpec, load_spec

folder = Path(sys.argv[1])
spec = load_spec(folder / "model.yaml")
if len(sys.argv) > 2:
    spec = ModelSpec.model_validate({**spec.model_dump(), **json.loads(sys.argv[2])})
parts = split(read_raw(folder / "data", spec), spec)
searched = {name: found.samples()[-1] for name, found in spec.search.items()}
model = train(spec, searched, parts["train"])
choose_threshold(spec, model, parts["validation"])
found = evaluate(spec, model, [parts["test"]])
rows = pd.util.hash_pandas_object(parts["test"].astype(str)).to_numpy().tobytes()
probabilities = b"" if found.probabilities is None else found.probabilities.tobytes()
predicted = repr(found.predicted).encode() + probabilities
print(json.dumps([found.metrics, model.threshold, *(hashlib.sha256(each).hexdigest() for each in (rows, predicted))]))
"""
SEARCH = {"max_leaf_nodes": {"type": "integer", "minimum": 5, "maximum": 20}}


def trained(hash_seed: int, folder: Path, *changes: str) -> Any:
    """With another order of sets and another number of threads: neither may change anything."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(folder), *changes],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "OMP_NUM_THREADS": str(hash_seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("folder", "changes"),
    [
        pytest.param(PROJECT / "examples/diabetes", [], marks=pytest.mark.slow),
        (PROJECT / "examples/flights", []),
        pytest.param(
            PROJECT / "examples/flights",
            [json.dumps({"estimator": "xgboost.XGBClassifier", "hyperparameters": {"subsample": 0.8, "n_jobs": 1},
                         "search": {"max_depth": {"type": "integer", "minimum": 2, "maximum": 6}}})],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            PROJECT / "examples/flights",
            [json.dumps({"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "hyperparameters": {}, "search": SEARCH})],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["XGBoost regression", "LightGBM", "XGBoost", "scikit-learn"],
)  # fmt: skip
def test_two_trainings_are_the_same(folder: Path, changes: list[str]) -> None:
    assert trained(1, folder, *changes) == trained(2, folder, *changes)
