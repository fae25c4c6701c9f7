"""`make train`: the model of a folder, in this process."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_code.spec import load_spec
from operations import train
from operations.errors import OperationError

MODEL_YAML = """
name: sides
target: {name: side, type: integer, constraints: {minimum: 0, maximum: 1}}
features: [{name: "x_{0..1}", type: number, constraints: {required: true}}]
split: {train: 0.6, validation: 0.2, test: 0.2}
seed: 1
estimator: sklearn.linear_model.LogisticRegression
search:
  C: {type: continuous, minimum: 0.01, maximum: 10, scale: logarithmic}
  max_iter: {type: integer, minimum: 50, maximum: 100}
  solver: {type: categorical, values: [lbfgs, liblinear]}
tuning: {strategy: Random, max_jobs: 2, max_parallel_jobs: 1}
objective: {metric: log_loss, direction: minimize}
gate: {metric: accuracy, threshold: 0.9}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models/sides"
    (folder / "data").mkdir(parents=True)
    (folder / "model.yaml").write_text(MODEL_YAML)
    points = np.random.default_rng(1).normal(size=(600, 3))
    side = (points[:, 0] + 0.1 * points[:, 2] > 0).astype(int)
    frame = pd.DataFrame(points[:, :2], columns=["x_0", "x_1"]).assign(side=side)
    frame.to_csv(folder / "data/rows.csv", index=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "PROJECT", tmp_path)
    monkeypatch.setattr(train, "OUTPUT", tmp_path / "train-output")
    monkeypatch.setattr("sys.argv", ["train", "--trials", "4"])
    return folder


def test_the_best_trial_is_measured_on_the_test_part(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main() == 0
    printed = capsys.readouterr().out
    assert "Model sides: 600 rows of models/sides/data" in printed
    assert printed.count("│ best │") == 1
    assert "Gate (accuracy >= 0.9 and at most 0.01 below production): passed." in printed
    assert (project.parents[1] / "train-output/confusion_matrix.png").stat().st_size > 5000


def test_a_model_that_the_gate_refuses_ends_with_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "model.yaml"
    path.write_text(MODEL_YAML.replace("threshold: 0.9", "threshold: 1"))
    assert train.main() == 1
    assert "): failed." in capsys.readouterr().out


def test_trials_are_the_same_at_each_call_and_in_the_search_space(project: Path) -> None:
    spec = load_spec()
    samples = train.samples(spec, 50)
    assert samples == train.samples(spec, 50)
    assert len({point["C"] for point in samples}) == 50
    assert all(0.01 <= point["C"] <= 10 and 50 <= point["max_iter"] <= 100 for point in samples)
    assert {point["solver"] for point in samples} == {"lbfgs", "liblinear"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "estimator: sklearn.linear_model.LogisticRegression",
            "estimator: sklearn.nothing.Here",
            "estimator",
        ),
        ("x_{0..1}", "y_{0..1}", "rows.csv"),
    ],
)
def test_a_mistake_is_one_sentence(project: Path, old: str, new: str, message: str) -> None:
    path = project / "model.yaml"
    path.write_text(MODEL_YAML.replace(old, new))
    with pytest.raises(OperationError, match=message):
        train.main()
