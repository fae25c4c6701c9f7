"""Which rows are in which part, by each setting."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_code.jobs.parts import PARTS, PartBlocks, first_places, read_part, split
from ml_code.jobs.preprocess import read_raw
from ml_code.spec import ModelSpec, SpecError, parse_spec
from ml_code.table.columns import Column, Schema
from tests.ml_code.table.test_bad_data import MODEL_YAML, rows, text


def parts_by(tmp_path: Path, by: str, count: int = 300) -> tuple[ModelSpec, dict[str, pd.DataFrame]]:
    spec = parse_spec(MODEL_YAML.replace("test: 0.2}", f"test: 0.2, by: {by}}}"))
    table = [{**row, "left": f"2013-{1 + number % 12:02}-{1 + number % 28:02}T00:00"} for number, row in enumerate(rows(count))]  # fmt: skip
    (tmp_path / "a.csv").write_text(text(table), encoding="utf-8")
    return spec, split(read_raw(tmp_path, spec), spec)


@pytest.mark.parametrize("block_rows", [7, 100, 1000])
def test_blocks_of_a_part_are_its_rows_over_files_and_row_groups(tmp_path: Path, block_rows: int) -> None:
    _, parts = parts_by(tmp_path, "content")
    train = parts["train"].reset_index(drop=True)
    train[:90].to_parquet(tmp_path / "train-00000-00000.parquet", index=False, row_group_size=40)
    train[90:].to_parquet(tmp_path / "train-00001-00000.parquet", index=False)
    blocks = PartBlocks(tmp_path, "train", block_rows)
    for _ in range(2):
        found = list(blocks)
        assert all(block_rows <= len(block) < 2 * block_rows for block in found[:-1])
        pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), read_part(tmp_path, "train"))
    with pytest.raises(FileNotFoundError, match="no file of the test part"):
        list(PartBlocks(tmp_path, "test"))


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


@pytest.mark.parametrize("by", ["content", "{group: temp}", "{time: left, test_from: 2013-10-01}"])
def test_no_test_row_trains_later_however_the_data_grow(tmp_path: Path, by: str) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "many").mkdir()
    _, few = parts_by(tmp_path / "few", by, 200)
    _, many = parts_by(tmp_path / "many", by, 400)
    assert set(few["test"].index) == set(many["test"].index) & set(range(200))
    for name in ("train", "validation"):
        assert not set(few["test"].index) & set(many[name].index)


def test_from_a_date_on_all_rows_test(tmp_path: Path) -> None:
    _, parts = parts_by(tmp_path, "{time: left, test_from: 2013-10-01}")
    assert parts["test"]["left"].min() >= pd.Timestamp("2013-10-01") > parts["validation"]["left"].max()
    assert parts["validation"]["left"].min() > parts["train"]["left"].max()
    before = len(parts["train"]) + len(parts["validation"])
    assert len(parts["train"]) / before == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("{group: temp, test_from: 3}", "test_from is 3; allowed: beside time"),
        (
            "{time: left, test_from: 3}",
            "split.by.test_from is 3; allowed: a date such as 2026-01-31, as 'left' has",
        ),
        ("{time: temp, test_from: 2013-10-01}", "split.by.test_from is 2013-10-01; allowed: a number"),
        (
            "{time: left, test_from: soon}",
            "'test_from': 'soon'}; allowed: content, target, {group: column}, {time: column} or {time: column, test_from: date or number}",
        ),
    ],
)
def test_a_wrong_boundary_is_named(by: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        parse_spec(MODEL_YAML.replace("test: 0.2}", f"test: 0.2, by: {by}}}"))


def test_a_place_is_the_hash_that_pandas_has_of_the_row() -> None:
    """It decides in all versions of this code about the part of a row."""
    schema = Schema(
        (
            Column(name="number"),
            Column(name="kind", type="string", enum=("red", "blue")),
            Column(name="text", type="string"),
            Column(name="day", type="date"),
        ),
        unknown_categories=True,
    )
    texts: list[str | None] = ["a", None, "", "Zürich", "a"]
    values = np.array(
        [
            [1.5, 0, 0, 86_400],
            [np.nan, 1, np.nan, np.nan],
            [-0.0, np.nan, 0, 0],
            [0.0, 2, 0, 1e9],
            [1.5, 0, 0, 86_400],
        ]
    )
    frame = pd.DataFrame(
        {
            "number": values[:, 0],
            "kind": pd.Categorical(["red", "blue", None, None, "red"], categories=["red", "blue"]),
            "text": pd.Series(texts, dtype=object),
            "day": values[:, 3],
        }
    )
    expected = pd.util.hash_pandas_object(frame, index=False).to_numpy() / 2**64
    for given in (values, np.asfortranarray(values)):
        found = first_places(given, {"text": texts}, schema, parse_spec(MODEL_YAML))
        assert found.tolist() == expected.tolist()
