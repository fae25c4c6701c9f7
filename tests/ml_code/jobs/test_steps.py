import json
import tarfile
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from ml_code.estimators.saving import write_model
from ml_code.jobs import checkpoint
from ml_code.jobs.estimator import build_model, check_search, parse_searched
from ml_code.jobs.evaluate import draw_evaluation, evaluate, read_model, write_rows
from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import hash_raw, read_raw
from ml_code.jobs.register import version_tags
from ml_code.jobs.train import pyfunc_signature, read_job, save_model, train
from ml_code.metrics import measure
from ml_code.search_space import Choice, ContinuousRange
from ml_code.spec import ModelSpec, SpecError
from ml_code.table.columns import SchemaError
from ml_code.table.text import write_csv
from ml_code.tracking.runs import Execution

SEARCHED = {"hidden_layer_sizes": 64, "alpha": 0.1, "learning_rate_init": 0.01}


@pytest.fixture(scope="module")
def parts(spec: ModelSpec, digits: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return split(digits, spec)


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
    earlier = split(shuffled, spec)
    for name, part in earlier.items():
        assert set(part.index) == set(parts[name].index) & set(shuffled.index)


def test_equal_rows_are_in_one_part(spec: ModelSpec, digits: pd.DataFrame) -> None:
    twice = split(pd.concat([digits, digits], ignore_index=True), spec)
    for part in twice.values():
        assert {index % len(digits) for index in part.index} == {
            index for index in part.index if index < len(digits)
        }


def test_a_class_that_a_part_lacks_is_named(spec: ModelSpec, digits: pd.DataFrame) -> None:
    few = pd.concat([digits[digits["digit"] != 7], digits[digits["digit"] == 7].head(1)])
    with pytest.raises(SchemaError, match=r"has no row of digit 7, of which there are 1 in all"):
        split(few, spec)


def test_raw_files_are_checked_by_name(tmp_path: Path, spec: ModelSpec, digits: pd.DataFrame) -> None:
    digits.head(3).to_csv(tmp_path / "a.csv", index=False)
    digits.head(2).assign(pixel_3_3=99).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(
        SchemaError,
        match=r"b\.csv': column 'pixel_3_3' breaks the rule maximum 16 in 2 of 2 rows: row 1 has 99",
    ):
        read_raw(tmp_path, spec)
    (tmp_path / "b.csv").unlink()
    assert len(read_raw(tmp_path, spec)) == 3
    before = hash_raw(tmp_path)
    (tmp_path / "a.csv").write_bytes((tmp_path / "a.csv").read_bytes() + b"\n")
    assert hash_raw(tmp_path) != before


def test_the_same_seed_gives_the_same_metrics(spec: ModelSpec, parts: dict[str, pd.DataFrame]) -> None:
    features, truth = parts["validation"].drop(columns="digit"), parts["validation"]["digit"]
    models = [train(spec, SEARCHED, parts["train"]) for _ in range(2)]
    first, second = (measure(spec, model, features, truth) for model in models)
    assert first == second
    assert first["accuracy"] > 0.95


def test_the_scaler_sees_the_train_part_only(spec: ModelSpec, parts: dict[str, pd.DataFrame]) -> None:
    model = train(spec, SEARCHED, parts["train"])
    expected = parts["train"].drop(columns="digit").mean().to_numpy()
    assert model.pipeline.named_steps["scaler"].mean_ == pytest.approx(expected)


def toolkit_environment(hyperparameters: dict[str, str], folder: Path) -> dict[str, str]:
    """As SageMaker's toolkit makes it of the texts that a tuning job hands over."""

    def decoded(text: str) -> object:
        try:
            return json.loads(text)
        except ValueError:
            return text

    return {
        "SM_HPS": json.dumps({name: decoded(text) for name, text in hyperparameters.items()}),
        "SM_CHANNEL_TRAIN": str(folder / "train"),
        "SM_CHANNEL_VALIDATION": str(folder / "validation"),
        "SM_MODEL_DIR": str(folder / "model"),
    }


def test_searched_values_keep_their_types_and_names(spec: ModelSpec, tmp_path: Path) -> None:
    values: list[Any] = [32, "32 a", "relu", True, None, (64, 32), 0.5]
    choice = Choice(type="categorical", values=tuple(values))
    ranges = {
        **spec.search,
        "C": ContinuousRange(type="continuous", minimum=1, maximum=2),
        "train": choice,
        "validation": choice,
    }
    searching = spec.model_copy(update={"search": ranges})
    fixed = {"execution_arn": "arn:x/execution/1", "commit": "0123", "trigger_reason": "2026"}
    found = {"hidden_layer_sizes": "100", "alpha": "1", "learning_rate_init": "1e-3", "C": "1.5"}
    for value, text in zip(values, choice.texts, strict=True):
        job = read_job(toolkit_environment({**fixed, **found, "train": text, "validation": text}, tmp_path))
        searched = parse_searched(searching, job.hyperparameters)
        assert searched["train"] == searched["validation"] == value
        assert type(searched["train"]) is type(value)
    assert searched["hidden_layer_sizes"] == 100
    assert (searched["alpha"], type(searched["alpha"])) == (1.0, float)
    assert (searched["learning_rate_init"], searched["C"]) == (0.001, 1.5)
    assert job.execution == Execution(arn="arn:x/execution/1", commit="0123", trigger_reason="2026")
    assert (job.name, job.checkpoint_dir) == ("training", None)


def test_a_searched_value_that_did_not_come_is_named(spec: ModelSpec) -> None:
    with pytest.raises(SpecError, match="the training job has no hyperparameter 'alpha'"):
        parse_searched(spec, {"hidden_layer_sizes": 100})


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"alpha": {"type": "continuous", "minimum": -1, "maximum": 1}}, "The 'alpha' parameter of MLPClass"),
        ({"beta_1": {"type": "continuous", "minimum": 0.5, "maximum": 1}}, r"in the range \[0.0, 1.0\)"),
        ({"solver": {"type": "categorical", "values": ["adam", "adma"]}}, "Got 'adma' instead"),
        ({"depth": {"type": "integer", "minimum": 1, "maximum": 3}}, "unexpected keyword argument 'depth'"),
    ],
)
def test_what_the_estimator_refuses_somewhere_in_the_search_is_named(
    spec: ModelSpec, search: dict[str, object], message: str
) -> None:
    check_search(spec)
    searching = ModelSpec.model_validate({**spec.model_dump(), "search": search})
    with pytest.raises(
        SpecError,
        match=f"hyperparameters are not valid for the estimator sklearn.neural_network.MLPClassifier: .*{message}",
    ):
        check_search(searching)


@pytest.mark.parametrize(
    ("change", "gate_message"),
    [
        ({"estimator": "sklearn.nowhere.Model"}, "estimator is 'sklearn.nowhere.Model'; allowed"),
        ({"scaler": "sklearn.preprocessing.Skaler"}, "scaler is 'sklearn.preprocessing.Skaler'; allowed"),
        ({"hyperparameters": {"depth": 3}}, "hyperparameters are not valid for .*'depth'"),
        ({"hyperparameters": {"tol": "1e-3"}}, "The 'tol' parameter of MLPClassifier must be a float"),
        ({"estimator": "sklearn.cluster.KMeans", "hyperparameters": {}, "search": {}}, "with predict_proba"),
    ],
)
def test_what_is_no_classifier_is_refused(
    spec: ModelSpec, change: dict[str, object], gate_message: str
) -> None:
    with pytest.raises(SpecError, match=gate_message):
        build_model(spec.model_copy(update=change), {})


def test_evaluation_counts_every_test_row(spec: ModelSpec, parts: dict[str, pd.DataFrame]) -> None:
    evaluation = evaluate(spec, train(spec, SEARCHED, parts["train"]), [parts["test"]])
    assert evaluation.confusion_matrix is not None
    assert evaluation.confusion_matrix.sum() == len(parts["test"])
    assert evaluation.confusion_matrix.trace() / len(parts["test"]) == evaluation.metrics["accuracy"]
    assert sum(values["rows"] for values in evaluation.classes.values()) == len(parts["test"])
    assert spec.gate.passes(evaluation.metrics)
    assert draw_evaluation(spec, evaluation).axes


def test_evaluation_by_blocks_is_that_of_the_whole(
    spec: ModelSpec, parts: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    model, test = train(spec, SEARCHED, parts["train"]), parts["test"]
    whole, blocks = evaluate(spec, model, [test]), evaluate(spec, model, [test[:100], test[100:]])
    assert (blocks.truth, blocks.predicted) == (whole.truth, whole.predicted)
    assert blocks.metrics == pytest.approx(whole.metrics)
    write_rows(tmp_path / "test.csv", [test[:100], test[100:]], spec)
    assert (tmp_path / "test.csv").read_bytes() == write_csv(test, spec.training_schema())


def test_the_model_is_read_from_the_training_jobs_archive(
    tmp_path: Path, spec: ModelSpec, parts: dict[str, pd.DataFrame]
) -> None:
    model, folder = train(spec, SEARCHED, parts["train"]), tmp_path / "model"
    folder.mkdir()
    write_model(model, folder)
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


def test_a_restarted_job_finds_its_own_model_again(tmp_path: Path, spec: ModelSpec) -> None:
    assert checkpoint.restore(None, "job-1") is None
    model = build_model(spec, SEARCHED)
    checkpoint.save(None, "job-1", model)
    checkpoint.save(tmp_path / "checkpoints", "job-1", model)
    restored = checkpoint.restore(tmp_path / "checkpoints", "job-1")
    assert restored is not None
    assert restored.schema == model.schema
    assert checkpoint.restore(tmp_path / "checkpoints", "job-2") is None


def test_pyfunc_takes_the_data_as_their_file_has_them(
    tmp_path: Path, spec: ModelSpec, parts: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # MLflow makes a database in the working directory
    features = parts["train"].drop(columns="digit")
    model = train(spec, SEARCHED, parts["train"])
    signature = pyfunc_signature(spec)
    save_model(model, tmp_path / "model", signature=signature, example=features.head(1), mlflow_model=Model())
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    expected = model.predict(features.head(3)).tolist()
    for table in (features.head(3), features.head(3).astype("int64"), features.head(3).iloc[:, ::-1]):
        assert loaded.predict(table).tolist() == expected
    with pytest.raises(MlflowException, match=r"missing inputs \['pixel_0_0'\]"):
        loaded.predict(features.drop(columns="pixel_0_0"))
