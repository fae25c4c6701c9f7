"""XGBoost on several hosts: as good as on one, and no fault that hangs."""

import contextlib
import itertools
import pickle
import random
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score
from xgboost.core import XGBoostError

from ml_code.jobs import collective
from ml_code.jobs.hosts import Host, HostError
from tests.ml_code.jobs.hosts_of_a_job import started

pytestmark = [
    pytest.mark.slow,  # each test starts several processes as the hosts of a job
    pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is loopback on Linux only"),
]
PROGRAM = Path(__file__).with_name("training_process.py")
# Not the same ones again at once: a port that was just closed cannot be listened on for a minute.
BLOCKS = itertools.cycle(random.sample(range(1, 250), 249))
MODEL_YAML = """
name: made
target: {name: y, TARGET}
features:
  - {name: a, type: number, constraints: {required: true}}
  - {name: b, type: number}
  - {name: kind, type: string, constraints: {enum: [red, green, blue]}}
split: {train: 0.6, validation: 0.2, test: 0.2}
seed: 1
estimator: xgboost.ESTIMATOR
WEIGHT
hyperparameters: {max_depth: 3, n_jobs: 1}
search: {n_estimators: {type: integer, minimum: 5, maximum: 3000}}
tuning: {strategy: Random, max_jobs: 1, max_parallel_jobs: 1}
objective: {metric: METRIC}
gate: {metric: METRIC, threshold: 0.5}
"""
BINARY = {
    "TARGET": "type: boolean",
    "ESTIMATOR": "XGBClassifier",
    "WEIGHT": "class_weight: balanced",
    "METRIC": "roc_auc",
}
CLASSES = {
    "TARGET": "type: integer, constraints: {minimum: 0, maximum: 2}",
    "ESTIMATOR": "XGBClassifier", "WEIGHT": "", "METRIC": "accuracy",
}  # fmt: skip
NUMBER = {"TARGET": "type: number", "ESTIMATOR": "XGBRegressor", "WEIGHT": "", "METRIC": "rmse"}


def document(words: dict[str, str]) -> str:
    text = MODEL_YAML
    for name, word in words.items():
        text = text.replace(name, word)
    return text


def table(rows: int, words: dict[str, str]) -> pd.DataFrame:
    chance = np.random.default_rng(7)
    a, b = chance.normal(size=rows), chance.normal(size=rows)
    codes = chance.integers(0, 3, rows)
    score = a + 0.5 * b + (codes == 1) + chance.normal(scale=0.5, size=rows)
    targets = {"roc_auc": score > 1, "accuracy": np.digitize(score, [-0.5, 1]), "rmse": score}
    return pd.DataFrame(
        {
            "a": a,
            "b": np.where(chance.random(rows) < 0.1, np.nan, b),
            "kind": pd.Categorical.from_codes(codes, categories=["red", "green", "blue"]),
            "y": targets[words["METRIC"]],
        }
    )


def run(folder: Path, shards: list[pd.DataFrame | None], kind: str = "good") -> list[tuple[int, str]]:
    """The exit code and the output of each host, within two minutes."""
    block = next(BLOCKS)
    names = [f"127.9.{block}.{number}" for number in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        (folder / name).mkdir()
        if shard is not None:
            shard.to_parquet(folder / name / "train-00000-00000.parquet", index=False)
    with (
        socket.create_server((names[0], collective.FIRST_PORT))
        if kind == "taken"
        else contextlib.nullcontext(),
        started(PROGRAM, folder, names, kind) as processes,
    ):
        outputs = [process.communicate(timeout=120)[0] for process in processes]
    return [(process.returncode, output) for process, output in zip(processes, outputs, strict=True)]


def trained(
    folder: Path, words: dict[str, str], shards: list[pd.DataFrame | None], kind: str = "good"
) -> Any:
    folder.mkdir()
    (folder / "model.yaml").write_text(document(words))
    for code, output in run(folder, shards, kind):
        assert code == 0, output
    return pickle.loads((folder / "model.pkl").read_bytes())  # noqa: S301 - written just now


@pytest.mark.parametrize("words", [BINARY, CLASSES, NUMBER], ids=["binary", "classes", "number"])
def test_two_hosts_fit_as_well_as_one(tmp_path: Path, words: dict[str, str]) -> None:
    frame = table(6000, words)
    train, test = frame[:4000], frame[4000:]
    one = trained(tmp_path / "one", words, [train])
    two = trained(tmp_path / "two", words, [train[::2], train[1::2]])

    def measured(model: Any) -> float:
        features = test.drop(columns="y")
        if words is BINARY:
            return float(roc_auc_score(test["y"], model.predict_proba(features)[:, 1]))
        if words is CLASSES:
            return float(accuracy_score(test["y"], model.predict(features)))
        return float(np.sqrt(np.mean((model.predict(features) - test["y"]) ** 2)))

    assert measured(two) == pytest.approx(measured(one), abs=0.02)
    assert type(two.pipeline.steps[-1][1]) is type(one.pipeline.steps[-1][1])
    # Counted over all hosts: a host's own share gives another model.
    assert np.allclose(
        one.pipeline.steps[-1][1].get_booster().num_boosted_rounds(),
        two.pipeline.steps[-1][1].get_booster().num_boosted_rounds(),
    )


def test_a_host_without_rows_and_one_without_a_class_and_one_that_comes_late(tmp_path: Path) -> None:
    train = table(3000, CLASSES)
    few = train[train["y"] != 2]
    model = trained(tmp_path / "m", CLASSES, [None, train, few], "late")
    assert model.predict_proba(train.drop(columns="y")).shape == (3000, 3)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("killed", "is lost: its process ended"),
        ("missing", "did not find each other within 4 s"),
        ("taken", ":9099: Failed to bind socket"),
    ],
)
def test_a_lost_host_fails_the_training(tmp_path: Path, kind: str, sentence: str) -> None:
    (tmp_path / "model.yaml").write_text(document(BINARY))
    train = table(20_000, BINARY)
    code, output = run(tmp_path, [train[::2], train[1::2]], kind)[0]
    assert code == 1, output
    assert sentence in output.strip().splitlines()[-1]
    assert not (tmp_path / "model.pkl").exists()


def test_a_host_that_is_lost_after_its_last_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tracker:
        def __init__(self, *arguments: object, **options: object) -> None: ...

        def start(self) -> None: ...

        def wait_for(self) -> None:
            raise XGBoostError(
                "[07:14:00] tracker.cc:1: \n- [result.cc:1|1:00:00]: closed\nStack trace:\n  [bt] (8) /x.so"
            )

        def free(self) -> None: ...

    monkeypatch.setattr(collective, "RabitTracker", Tracker)
    with (
        pytest.raises(HostError, match=r"another host of algo-1, algo-2 is lost.*\(closed\)$"),
        collective.running_tracker(Host("algo-1", ("algo-1", "algo-2")), "127.0.0.1", 1, 4),
    ):
        pass
