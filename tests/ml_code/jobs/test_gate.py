import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from ml_code.jobs.gate import evaluate_gate, gate_message, gate_status
from ml_code.jobs.production_baseline import BaselineError, ProductionBaseline, measure_production
from ml_code.spec import Gate, ModelSpec
from ml_code.tracking import model_registry

GATE = Gate(metric="accuracy", threshold=0.95, tolerance=0.02)


@pytest.mark.parametrize(
    ("value", "baseline", "passed"),
    [
        (0.95, None, True),
        (0.9499, None, False),
        (0.97, 0.99, True),
        (0.9699, 0.99, False),
        (0.949, 0.93, False),
        (0.99, 0.96, True),
    ],
)
def test_a_model_must_reach_the_threshold_and_not_fall_behind_production(
    value: float, baseline: float | None, passed: bool
) -> None:
    production = None if baseline is None else ProductionBaseline(version="3", value=baseline)
    gate_result = evaluate_gate(GATE, {"accuracy": value}, production)
    # What the pipeline's two conditions look at.
    by_conditions = (
        gate_result["value"] >= GATE.threshold and gate_result["improvement_beyond_chance"] >= -GATE.tolerance
    )
    assert gate_result["passed"] is by_conditions is passed


@pytest.mark.parametrize(
    ("interval", "passed"),
    [((-0.06, -0.001), False), ((-0.06, 0.0), True), ((-0.06, 0.004), True), (None, False)],
)
def test_a_loss_beyond_the_tolerance_fails_unless_it_may_be_chance(
    interval: tuple[float, float] | None, passed: bool
) -> None:
    production = ProductionBaseline(version="3", value=0.99)
    assert evaluate_gate(GATE, {"accuracy": 0.96}, production, interval)["passed"] is passed


def test_a_loss_within_the_tolerance_passes_however_sure_it_is() -> None:
    production = ProductionBaseline(version="3", value=0.98)
    assert evaluate_gate(GATE, {"accuracy": 0.97}, production, (-0.012, -0.008))["passed"]


def test_the_verdict_says_when_it_does_not_bind() -> None:
    words = {
        mode: gate_status(evaluate_gate(GATE.model_copy(update={"mode": mode}), {"accuracy": 0.9}, None))
        for mode in ("enabled", "dry_run", "disabled")
    }
    assert words == {"enabled": "failed", "dry_run": "failed (dry run)", "disabled": "disabled"}


def test_the_message_has_both_values() -> None:
    gate_result = evaluate_gate(GATE, {"accuracy": 0.96111}, ProductionBaseline(version="3", value=0.99))
    assert (
        gate_message(gate_result, 360)
        == "accuracy on 360 test rows is 0.9611, version 3 in production has 0.9900 on the same rows; "
        "the improvement is within -0.0289 and -0.0289."
    )
    assert gate_message(evaluate_gate(GATE, {"accuracy": 0.96111}, None), 360).endswith("is 0.9611.")


# Against a real registry


@pytest.fixture
def client(empty_registry: Path, tmp_path: Path) -> Iterator[mlflow.MlflowClient]:
    shutil.copy(empty_registry, tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    yield model_registry.connect(uri)
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def put_into_production(client: mlflow.MlflowClient, folder: Path, model: Any) -> None:
    client.create_registered_model("digits")
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    client.create_model_version("digits", folder.as_uri())
    client.set_registered_model_alias("digits", "production", "1")


def always_three(digits: pd.DataFrame) -> DummyClassifier:
    return DummyClassifier(strategy="constant", constant=3).fit(digits.drop(columns="digit"), digits["digit"])


def test_the_first_model_has_no_rival(
    client: mlflow.MlflowClient, spec: ModelSpec, digits: pd.DataFrame
) -> None:
    assert measure_production(spec, [digits]) is None
    client.create_registered_model("digits")
    assert measure_production(spec, [digits]) is None


def test_the_rival_is_measured_on_the_rows_of_the_candidate(
    client: mlflow.MlflowClient, tmp_path: Path, spec: ModelSpec, digits: pd.DataFrame
) -> None:
    put_into_production(client, tmp_path / "model", always_three(digits))
    rows = digits.head(100)
    expected = float((rows["digit"] == 3).mean())
    assert measure_production(spec, [rows]) == ProductionBaseline(version="1", value=expected)


def test_a_rival_of_other_columns_is_none(
    client: mlflow.MlflowClient,
    tmp_path: Path,
    spec: ModelSpec,
    digits: pd.DataFrame,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_into_production(client, tmp_path / "model", always_three(digits.rename(columns={"pixel_0_0": "ink"})))
    assert measure_production(spec, [digits]) is None
    assert "version 1 in production takes other columns" in capsys.readouterr().out


def test_a_rival_whose_files_are_gone_is_an_error_with_a_way_out(
    client: mlflow.MlflowClient, tmp_path: Path, spec: ModelSpec, digits: pd.DataFrame
) -> None:
    put_into_production(client, tmp_path / "model", always_three(digits))
    shutil.rmtree(tmp_path / "model")
    with pytest.raises(BaselineError, match=r"version 1 of digits.*gate\.mode = disabled"):
        measure_production(spec, [digits])
