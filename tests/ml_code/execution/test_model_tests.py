from pathlib import Path
from typing import Any

import pytest

from ml_code.execution.model_tests import failing_models
from tests.ml_code.execution.test_stack_assertions import Bucket

# Of the models named in the environment, those whose folder has `bad` fail.
PROGRAM = """
import os, pathlib, pytest

@pytest.mark.parametrize("model", os.environ["MODEL_NAMES"].split(","))
def test_model(model):
    assert not pathlib.Path("models", model, "bad").exists()
"""
MODELS = ("a", "b")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tests/model").mkdir(parents=True)
    (tmp_path / "tests/model/test_model.py").write_text(PROGRAM)
    for name in MODELS:
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "model.yaml").write_text(f"name: {name}\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_passed_is_not_tested_again_until_it_changes(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bucket: Any = Bucket()
    assert failing_models(bucket, "artifacts", MODELS) == set()
    assert "2 passed" in capfd.readouterr().out
    assert failing_models(bucket, "artifacts", MODELS) == set()
    assert "tests/model passed before for the same b: not run again" in capfd.readouterr().out
    (project / "models/b/model.yaml").write_text("name: b\nseed: 2\n")
    assert failing_models(bucket, "artifacts", MODELS) == set()
    assert "1 passed" in capfd.readouterr().out
    assert len(bucket.keys) == 3


def test_a_failing_model_stops_no_other_and_is_tested_again(project: Path) -> None:
    bucket: Any = Bucket()
    (project / "models/b/bad").touch()
    assert failing_models(bucket, "artifacts", MODELS) == {"b"}
    assert len(bucket.keys) == 1
    assert failing_models(bucket, "artifacts", MODELS) == {"b"}


def test_a_failure_that_is_no_models_own_counts_for_each(project: Path) -> None:
    bucket: Any = Bucket()
    (project / "models/b/bad").touch()
    (project / "tests/model/test_more.py").write_text("def test_it():\n    assert False\n")
    assert failing_models(bucket, "artifacts", MODELS) == {"a", "b"}
    (project / "tests/model/test_more.py").write_text("import nothing_of_this_name\n")
    assert failing_models(bucket, "artifacts", MODELS) == {"a", "b"}
    (project / "tests/model").rename(project / "elsewhere")
    assert failing_models(bucket, "artifacts", MODELS) == {"a", "b"}
    assert not bucket.keys
