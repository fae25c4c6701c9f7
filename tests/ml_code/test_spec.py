from pathlib import Path

import pytest

from ml_code.spec import ModelSpec, SpecError, find_model, load_spec, parse_spec, sample_data


def test_a_range_in_a_name_stands_for_many_columns(spec: ModelSpec) -> None:
    names = spec.request_schema().names
    assert len(names) == 64
    assert (names[0], names[1], names[8], names[-1]) == ("pixel_0_0", "pixel_0_1", "pixel_1_0", "pixel_7_7")
    assert spec.training_schema().names == [*names, "digit"]


def test_the_project_has_exactly_one_model(tmp_path: Path, model_yaml: str) -> None:
    with pytest.raises(SpecError, match=r"models/\*/model.yaml: found 0 \(none\); allowed: exactly one"):
        find_model(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "models" / name / "data").mkdir(parents=True)
        (tmp_path / "models" / name / "data" / "rows.csv").write_text("x")
    (tmp_path / "models/b/model.yaml").write_text(model_yaml)
    assert find_model(tmp_path) == tmp_path / "models/b"
    assert sample_data(tmp_path) == {"rows.csv": tmp_path / "models/b/data/rows.csv"}
    (tmp_path / "models/a/model.yaml").write_text(model_yaml)
    with pytest.raises(SpecError, match=r"found 2 \(a, b\); allowed: exactly one"):
        find_model(tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("threshold: 0.95", "threshold: 1.5", "gate.threshold is 1.5; allowed: less than or equal to 1"),
        ("threshold:", "treshold:", "gate.threshold is missing; give it a value"),
        ("seed: 20261124", "seed: 1\nsead: 2", "sead = 2 is no field; allowed: name, description, target"),
        ("train: 0.6", "train: 0.7", "split: the three parts add up to 1.1; allowed: exactly 1"),
        ("sklearn.neural_network", "os.path", "estimator is 'os.path.MLPClassifier'; allowed: text like"),
        ("strategy: Random", "strategy: Luck", "tuning.strategy is 'Luck'; allowed: 'Random'"),
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


def test_the_gate_asks_for_its_threshold(spec: ModelSpec) -> None:
    assert spec.gate.passes({"accuracy": 0.95})
    assert not spec.gate.passes({"accuracy": 0.949})
