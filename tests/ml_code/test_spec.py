from pathlib import Path

import pytest

from ml_code.spec import ModelSpec, SpecError, find_model, load_spec, load_specs, parse_spec, sample_data


def test_a_range_in_a_name_stands_for_many_columns(spec: ModelSpec) -> None:
    names = spec.request_schema().names
    assert len(names) == 64
    assert (names[0], names[1], names[8], names[-1]) == ("pixel_0_0", "pixel_0_1", "pixel_1_0", "pixel_7_7")
    assert spec.training_schema().names == [*names, "digit"]


def test_a_model_is_found_by_its_folder(tmp_path: Path, model_yaml: str) -> None:
    with pytest.raises(SpecError, match=r"models/\*/model.yaml: found 0 \(none\); allowed: one"):
        find_model(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "models" / name / "data").mkdir(parents=True)
        (tmp_path / "models" / name / "data" / "rows.csv").write_text("x")
    (tmp_path / "models/b/model.yaml").write_text(model_yaml)
    assert find_model(tmp_path) == tmp_path / "models/b"
    assert sample_data(tmp_path) == {"rows.csv": tmp_path / "models/b/data/rows.csv"}
    (tmp_path / "models/a/model.yaml").write_text(model_yaml)
    with pytest.raises(SpecError, match=r"found 2 \(a, b\); allowed: one, or the name of one, MODEL=<name>"):
        find_model(tmp_path)
    assert find_model(tmp_path, "a") == tmp_path / "models/a"
    with pytest.raises(SpecError, match=r"models/c/model.yaml does not exist; there are: a, b"):
        find_model(tmp_path, "c")
    with pytest.raises(
        SpecError, match=r"models/a/model.yaml: name is 'digits'; allowed: that of its folder, 'a'"
    ):
        load_specs(tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        (
            "threshold: 0.95",
            "threshold: 1.5",
            "gate: threshold is 1.5; allowed: at least 0 and at most 1 for accuracy",
        ),
        ("threshold:", "treshold:", "gate.threshold is missing; give it a value"),
        ("seed: 20261124", "seed: 1\nsead: 2", "sead = 2 is no field; allowed: name, description, task, csv"),
        ("train: 0.6", "train: 0.7", "split: the three parts add up to 1.1; allowed: exactly 1"),
        (
            "sklearn.neural_network",
            "os.path",
            "estimator: it is 'os.path.MLPClassifier'; allowed: the import path of an estimator of sklearn, xgboost, lightgbm",
        ),
        ("strategy: Random", "strategy: Luck", "tuning.strategy is 'Luck'; allowed: 'Random'"),
        (
            "strategy: Random, max_jobs: 6",
            "strategy: Random",
            "tuning: max_jobs is missing; give it a number",
        ),
        (
            "strategy: Random",
            "strategy: Hyperband",
            "strategy is Hyperband, and sklearn.neural_network.MLPClassifier does not report while it learns; allowed: with an estimator of xgboost, lightgbm",
        ),
        (
            "strategy: Random",
            "early_stopping: true, strategy: Random",
            "early_stopping is true, and sklearn.neural_network.MLPClassifier does not report",
        ),
        (
            "strategy: Random",
            "early_stopping: true, strategy: Hyperband",
            "allowed: with another strategy, as Hyperband stops jobs itself",
        ),
        (
            "strategy: Random",
            "min_rounds: 3, strategy: Random",
            "min_rounds is 3; allowed: with strategy Hyperband",
        ),
        (
            "strategy: Random",
            "strategy: Grid",
            "search.hidden_layer_sizes is a range, and tuning.strategy is Grid; allowed: type categorical",
        ),
        ("max_jobs: 6", "max_jobs: 1", "max_parallel_jobs is 2; allowed: at most max_jobs = 1"),
        ("maximize", "minimize", "direction is 'minimize'; allowed: 'maximize' for accuracy"),
        (
            "type: continuous",
            "type: smooth",
            "search.alpha.type is 'smooth'; allowed: 'integer', 'continuous'",
        ),
        (
            "0.01, maximum: 1.0",
            "0, maximum: 1.0",
            "minimum is 0; allowed with scale logarithmic: more than 0",
        ),
        ("minimum: 64", "minimum: 200", "minimum is 200; allowed: less than maximum = 128"),
        ("{max_iter: 300", "{alpha: 300", "'alpha' is in hyperparameters and in search; allowed: one of the"),
        ("name: digit,", "name: pixel_0_0,", "column 'pixel_0_0' is named twice; allowed: once"),
        ("pixel_{0..7}_{0..7}", "p{7..0}", "it has the range {7..0}; allowed: the smaller number first"),
        ("pixel_{0..7}_{0..7}", "p{0..99999}", "'p{0..99999}' stands for 100,000 columns; allowed: 10,000"),
        ("name: digit,", "name: ' digit',", "it is ' digit'; allowed: no space at its ends"),
        ("alpha:", "commit:", "search.commit has a name that training jobs use; allowed: another name"),
        ("alpha:", "sagemaker_program:", "search.sagemaker_program has a name that training jobs use"),
        ("gate:", "seed: 1\ngate:", 'line 24: found duplicate key "seed"'),
        ("tol: 0.001", "tol: '1e-3'", "hyperparameters.tol: it is the text '1e-3'; allowed: 0.001, without"),
        (
            "tol: 0.001",
            "tol: '(64, 32)'",
            "tol: it is the text '(64, 32)'; allowed: [64, 32], without quotes",
        ),
        ("tol: 0.001", "tol: (64, 32)", "'32)' is not a valid name of a hyperparameter; a list is written"),
        ("tol: 0.001", "tol: None", "hyperparameters.tol: it is the text 'None'; allowed: null, without"),
        (
            "tol: 0.001",
            "tol: 2026-01-01",
            "hyperparameters.tol is datetime.date(2026, 1, 1); allowed: a number,",
        ),
        (
            "tol: 0.001",
            "tol: .nan",
            "hyperparameters.tol is nan; allowed: a number, text, true, false, null, a",
        ),
        (
            "type: continuous, minimum: 0.01, maximum: 1.0, scale: logarithmic",
            "type: categorical, values: [1, '2']",
            "values.1: it is the text '2'; allowed: 2, without quotes, or other text",
        ),
    ],
)
def test_a_wrong_field_is_refused_in_one_sentence(
    model_yaml: str, right: str, wrong: str, sentence: str
) -> None:
    assert right in model_yaml
    with pytest.raises(SpecError) as refusal:
        parse_spec(model_yaml.replace(right, wrong))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("- 1", "holds list; allowed: a mapping"), ("a: [", "is not YAML"), ("", "holds NoneType; allowed")],
)
def test_what_is_no_model_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        parse_spec(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.yaml cannot be read"):
        load_spec(tmp_path / "nowhere.yaml")


def test_a_file_of_another_encoding_is_named(tmp_path: Path, model_yaml: str) -> None:
    (tmp_path / "model.yaml").write_bytes(model_yaml.encode("utf-16"))
    with pytest.raises(
        SpecError, match=r"model\.yaml is not text in UTF-8 \(invalid start byte\): save it in"
    ):
        load_spec(tmp_path / "model.yaml")
    (tmp_path / "model.yaml").write_bytes(model_yaml.encode("utf-8-sig"))
    assert load_spec(tmp_path / "model.yaml").name == "digits"


def test_the_gate_asks_for_its_threshold(spec: ModelSpec) -> None:
    assert spec.gate.passes({"accuracy": 0.95})
    assert not spec.gate.passes({"accuracy": 0.949})


def test_values_have_the_types_of_yaml_1_2(model_yaml: str) -> None:
    given = "{tol: 1e-3, shuffle: no, hidden: [64, 32], none: null, class_weight: {0: 1.0, b: 5}, on: true, octal: 012}"
    values = parse_spec(
        model_yaml.replace("{max_iter: 300, n_iter_no_change: 8, tol: 0.001}", given)
    ).hyperparameters
    expected = {
        "tol": 0.001,
        "shuffle": "no",
        "hidden": (64, 32),
        "none": None,
        "class_weight": {0: 1.0, "b": 5},
        "on": True,
        "octal": 12,
    }
    assert values == expected
    assert {name: type(value) for name, value in values.items()} == {
        name: type(value) for name, value in expected.items()
    }


def test_braces_that_are_no_range_stay(model_yaml: str) -> None:
    text = model_yaml.replace("image:", "#").replace("pixel_{0..7}_{0..7}", "{0..1} size{cm}{{3..4}}")
    names = parse_spec(text).request_schema().names
    assert names == ["0 size{cm}{3}", "0 size{cm}{4}", "1 size{cm}{3}", "1 size{cm}{4}"]
