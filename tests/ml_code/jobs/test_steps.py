import json
import pickle
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from ml_code.jobs import checkpoint
from ml_code.jobs.estimator import build_estimator, parse_searched
from ml_code.jobs.evaluate import draw_confusion, evaluate, read_model
from ml_code.jobs.preprocess import hash_raw, read_raw, split
from ml_code.jobs.register import version_tags
from ml_code.jobs.train import is_first_host, train
from ml_code.metrics import measure
from ml_code.schema import SchemaError
from ml_code.spec import ModelSpec, SpecError
from ml_code.tracking.runs import Execution

SEARCHED = {"hidden_layer_sizes": 64, "alpha": 0.1, "learning_rate_init": 0.01}


@pytest.fixture(scope="module")
def parts(spec: ModelSpec, digits: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return split(digits, target="digit", fractions=spec.split)


def test_parts_are_disjoint_and_whole(
    spec: ModelSpec, digits: pd.DataFrame, parts: dict[str, pd.DataFrame]
) -> None:
    assert sorted(index for part in parts.values() for index in part.index) == list(digits.index)
    for name, part in parts.items():
        assert len(part) / len(digits) == pytest.approx(getattr(spec.split, name), abs=0.02)
        assert part["digit"].value_counts(normalize=True).between(0.05, 0.15).all()


def test_more_data_move_no_row_to_another_part(
    spec: ModelSpec, digits: pd.DataFrame, parts: dict[str, pd.DataFrame]
) -> None:
    shuffled = digits.sample(frac=0.7, random_state=1).astype({"pixel_3_3": int})
    earlier = split(shuffled, target="digit", fractions=spec.split)
    for name, part in earlier.items():
        assert set(part.index) == set(parts[name].index) & set(shuffled.index)


def test_equal_rows_are_in_one_part(spec: ModelSpec, digits: pd.DataFrame) -> None:
    twice = split(pd.concat([digits, digits], ignore_index=True), target="digit", fractions=spec.split)
    for part in twice.values():
        assert {index % len(digits) for index in part.index} == {
            index for index in part.index if index < len(digits)
        }


def test_a_class_that_a_part_lacks_is_named(spec: ModelSpec, digits: pd.DataFrame) -> None:
    few = pd.concat([digits[digits["digit"] != 7], digits[digits["digit"] == 7].head(1)])
    with pytest.raises(SchemaError, match=r"has no row of digit 7, of which there are 1 in all"):
        split(few, target="digit", fractions=spec.split)


def test_raw_files_are_checked_by_name(tmp_path: Path, spec: ModelSpec, digits: pd.DataFrame) -> None:
    digits.head(3).to_csv(tmp_path / "a.csv", index=False)
    digits.head(2).assign(pixel_3_3=99).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(SchemaError, match=r"b\.csv: column 'pixel_3_3', row 1: 99"):
        read_raw(tmp_path, spec.training_schema())
    (tmp_path / "b.csv").unlink()
    assert len(read_raw(tmp_path, spec.training_schema())) == 3
    before = hash_raw(tmp_path)
    (tmp_path / "a.csv").write_bytes((tmp_path / "a.csv").read_bytes() + b"\n")
    assert hash_raw(tmp_path) != before


def test_no_raw_data_is_an_error(tmp_path: Path, spec: ModelSpec) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \*\.csv file"):
        read_raw(tmp_path, spec.training_schema())


def test_the_same_seed_gives_the_same_metrics(spec: ModelSpec, parts: dict[str, pd.DataFrame]) -> None:
    features, truth = parts["validation"].drop(columns="digit"), parts["validation"]["digit"]
    first, second = (measure(train(spec, SEARCHED, parts["train"]), features, truth) for _ in range(2))
    assert first == second
    assert first["accuracy"] > 0.95


def test_the_scaler_sees_the_train_part_only(spec: ModelSpec, parts: dict[str, pd.DataFrame]) -> None:
    model = train(spec, SEARCHED, parts["train"])
    expected = parts["train"].drop(columns="digit").mean().to_numpy()
    assert model.named_steps["scaler"].mean_ == pytest.approx(expected)


def test_searched_values_arrive_as_text(spec: ModelSpec) -> None:
    texts = {"hidden_layer_sizes": "100", "alpha": "0.25", "learning_rate_init": "1e-3"}
    assert parse_searched(spec, texts) == {
        "hidden_layer_sizes": 100,
        "alpha": 0.25,
        "learning_rate_init": 0.001,
    }


@pytest.mark.parametrize(
    ("change", "gate_message"),
    [
        ({"estimator": "sklearn.nowhere.Model"}, "estimator is 'sklearn.nowhere.Model'; allowed"),
        ({"scaler": "sklearn.preprocessing.Skaler"}, "scaler is 'sklearn.preprocessing.Skaler'; allowed"),
        ({"hyperparameters": {"depth": 3}}, "hyperparameters do not fit .*'depth'"),
        ({"estimator": "sklearn.cluster.KMeans", "hyperparameters": {}, "search": {}}, "with predict_proba"),
    ],
)
def test_what_is_no_classifier_is_refused(
    spec: ModelSpec, change: dict[str, object], gate_message: str
) -> None:
    with pytest.raises(SpecError, match=gate_message):
        build_estimator(spec.model_copy(update=change), {})


def test_evaluation_counts_every_test_row(spec: ModelSpec, parts: dict[str, pd.DataFrame]) -> None:
    evaluation = evaluate(train(spec, SEARCHED, parts["train"]), parts["test"], "digit")
    assert evaluation.confusion_matrix.sum() == len(parts["test"])
    assert evaluation.confusion_matrix.trace() / len(parts["test"]) == evaluation.metrics["accuracy"]
    assert sum(values["rows"] for values in evaluation.classes.values()) == len(parts["test"])
    assert spec.gate.passes(evaluation.metrics)
    assert draw_confusion(evaluation).axes


def test_the_model_is_read_from_the_training_jobs_archive(
    tmp_path: Path, spec: ModelSpec, parts: dict[str, pd.DataFrame]
) -> None:
    model, folder = train(spec, SEARCHED, parts["train"]), tmp_path / "model"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    (folder / "run.json").write_text(json.dumps({"run_id": "r"}))
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(folder, arcname=".")
    read, run = read_model(tmp_path)
    features = parts["test"].drop(columns="digit")
    assert (read.predict(features) == model.predict(features)).all()
    assert run == {"run_id": "r"}


def test_a_version_says_where_it_comes_from() -> None:
    execution = Execution(arn="arn:x/execution/1", commit="abc", trigger_reason="push")
    tags = version_tags(
        execution,
        code_uri="s3://b/code/abc/",
        dataset={"data_sha256": "12"},
        metrics={"accuracy": 0.97},
        gate="passed",
    )
    assert tags == {
        "commit": "abc",
        "data_sha256": "12",
        "execution_arn": "arn:x/execution/1",
        "code_uri": "s3://b/code/abc/",
        "trigger_reason": "push",
        "gate": "passed",
        "test_accuracy": "0.970000",
    }


def test_the_tuning_job_finds_the_objective_in_the_log(spec: ModelSpec) -> None:
    import re

    found = re.search(spec.objective.log_pattern, f"noise\n{spec.objective.log_line(0.972222)}\nnoise")
    assert found is not None
    assert float(found[1]) == 0.972222


def test_a_restarted_job_finds_its_own_model_again(tmp_path: Path) -> None:
    assert checkpoint.restore(None, "job-1") is None
    checkpoint.save(None, "job-1", "no directory, no checkpoint")
    checkpoint.save(tmp_path / "checkpoints", "job-1", "model of job 1")
    assert checkpoint.restore(tmp_path / "checkpoints", "job-1") == "model of job 1"
    assert checkpoint.restore(tmp_path / "checkpoints", "job-2") is None


@pytest.mark.parametrize(("host", "first"), [("algo-1", True), ("algo-2", False)])
def test_one_instance_of_several_trains(host: str, first: bool) -> None:
    assert is_first_host({"SM_HOSTS": '["algo-2", "algo-1"]', "SM_CURRENT_HOST": host}) is first
    assert is_first_host({})
