"""Which rows are in which part, by each setting."""

from pathlib import Path

import pandas as pd

from ml_code.jobs.parts import PARTS, split
from ml_code.jobs.preprocess import read_raw
from ml_code.spec import ModelSpec, parse_spec
from tests.ml_code.table.test_bad_data import MODEL_YAML, rows, text


def parts_by(tmp_path: Path, by: str, count: int = 300) -> tuple[ModelSpec, dict[str, pd.DataFrame]]:
    spec = parse_spec(MODEL_YAML.replace("test: 0.2}", f"test: 0.2, by: {by}}}"))
    table = [{**row, "left": f"2013-{1 + number % 12:02}-{1 + number % 28:02}T00:00"} for number, row in enumerate(rows(count))]  # fmt: skip
    (tmp_path / "a.csv").write_text(text(table), encoding="utf-8")
    return spec, split(read_raw(tmp_path, spec), spec)


def test_the_target_has_its_share_of_each_part(tmp_path: Path) -> None:
    _, parts = parts_by(tmp_path, "target")
    assert {name: part["late"].sum() for name, part in parts.items()} == {
        "train": 90,
        "validation": 30,
        "test": 30,
    }


def test_a_group_is_in_one_part(tmp_path: Path) -> None:
    _, parts = parts_by(tmp_path, "{group: temp}", 400)
    for name in PARTS:
        others = pd.concat([parts[other] for other in PARTS if other != name])
        assert not set(parts[name]["temp"]) & set(others["temp"])


def test_time_never_runs_backwards(tmp_path: Path) -> None:
    _, parts = parts_by(tmp_path, "{time: left}")
    assert parts["train"]["left"].max() < parts["validation"]["left"].min()
    assert parts["validation"]["left"].max() < parts["test"]["left"].min()
