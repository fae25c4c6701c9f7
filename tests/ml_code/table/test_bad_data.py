"""Data that cannot be trained with: one sentence that names file, column, rule, count and rows, before any training."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import read_raw
from ml_code.spec import ModelSpec, SpecError, parse_spec
from ml_code.table.columns import SchemaError

MODEL_YAML = """
name: flights
target: {name: late, type: boolean, trueValues: ["yes"], falseValues: ["no"]}
features:
  - {name: carrier, type: string, constraints: {required: true, enum: [AA, "Zürich, Air"]}}
  - {name: distance, type: integer, constraints: {minimum: 0}}
  - {name: temp, type: number}
  - {name: left, type: datetime}
ignored: [comment, {name: id, type: integer, constraints: {required: true, unique: true}}]
split: {train: 0.6, validation: 0.2, test: 0.2}
seed: 1
estimator: sklearn.ensemble.HistGradientBoostingClassifier
search: {max_iter: {type: integer, minimum: 5, maximum: 10}}
tuning: {strategy: Random, max_jobs: 1, max_parallel_jobs: 1}
objective: {metric: roc_auc}
gate: {metric: roc_auc, threshold: 0.5}
"""
HEADER = "id,carrier,distance,temp,left,comment,late"


def rows(count: int = 40) -> list[dict[str, str]]:
    return [
        {
            "id": str(number),
            "carrier": "AA" if number % 3 else '"Zürich, Air"',
            "distance": "" if number % 7 == 0 else str(100 + number),
            "temp": f"{number / 4}",
            "left": f"2013-01-{1 + number % 28:02}T0{number % 10}:00",
            "comment": '"a ""note""\nof two lines"',
            "late": "yes" if number % 2 else "no",
        }
        for number in range(count)
    ]


def text(table: list[dict[str, str]], header: str = HEADER) -> str:
    return "".join(f"{line}\n" for line in (header, *(",".join(row.values()) for row in table)))


def changed(number: int, **cells: str) -> str:
    table = rows()
    table[number].update(cells)
    return text(table)


@pytest.fixture
def spec() -> ModelSpec:
    return parse_spec(MODEL_YAML)


def read(folder: Path, spec: ModelSpec, files: Mapping[str, str | bytes]) -> pd.DataFrame:
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_raw(folder, spec)


def test_good_data_are_a_table_with_real_types(tmp_path: Path, spec: ModelSpec) -> None:
    frame = read(tmp_path, spec, {"a.csv": text(rows())})
    assert frame.dtypes.astype(str).to_dict() == {
        "carrier": "category",
        "distance": "Int64",
        "temp": "float64",
        "left": "datetime64[us]",
        "late": "bool",
        "id": "int64",
    }
    assert frame.loc[0, "carrier"] == "Zürich, Air"
    assert frame["distance"].isna().sum() == 6
    assert frame.loc[1, "left"] == pd.Timestamp("2013-01-02T01:00")


@pytest.mark.parametrize(
    "content",
    [
        text(rows()).encode("utf-8-sig"),
        text(rows()).replace("\n", "\r\n").encode(),
        text([{"comment": row.pop("comment"), **row} for row in rows()], "comment,id,carrier,distance,temp,left,late").encode(),
    ],
    ids=["byte order mark", "lines of Windows", "another order"],
)  # fmt: skip
def test_the_same_table_written_otherwise_is_the_same(
    tmp_path: Path, spec: ModelSpec, content: bytes
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    expected = read(tmp_path / "one", spec, {"a.csv": text(rows())})
    pd.testing.assert_frame_equal(read(tmp_path / "other", spec, {"a.csv": content}), expected)


def test_semicolons_and_decimal_commas_and_thousands_are_read_where_model_yaml_says_so(
    tmp_path: Path,
) -> None:
    dialect = "csv: {delimiter: ';', decimalChar: ',', groupChar: '.', encoding: latin-1}\nmissingValues: ['', '-']\n"
    spec = parse_spec(dialect + MODEL_YAML)
    table = rows()
    for row in table:
        row |= {"temp": row["temp"].replace(".", ","), "comment": "ä", "distance": "1.234"}
    table[5] |= {"temp": "-", "distance": "-"}
    lines = [HEADER.replace(",", ";"), *(";".join(row.values()) for row in table)]
    frame = read(tmp_path, spec, {"a.csv": "\n".join(lines).encode("latin-1")})
    assert frame["temp"].tolist()[:3] == [0, 0.25, 0.5]
    assert pd.isna(frame.loc[5, "temp"])
    assert frame["distance"].tolist()[0] == 1234


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (changed(7, temp="warm"), "column 'temp' breaks the rule type number in 1 of 40 rows: row 8 has 'warm'; give a number"),
        (changed(7, distance="3.5"), "column 'distance' breaks the rule type integer in 1 of 40 rows: row 8 has 3.5"),
        (changed(7, distance="-1"), "column 'distance' breaks the rule minimum 0 in 1 of 40 rows: row 8 has -1.0; give a whole number of at least 0"),
        (changed(7, distance=str(2**53 + 1)), "column 'distance' breaks the rule type integer in 1 of 40 rows: row 8 has 9007199254740992.0"),
        (changed(7, temp='"1,234"'), "column 'temp' breaks the rule type number in 1 of 40 rows: row 8 has '1,234'"),
        (changed(7, carrier="BA"), "column 'carrier' breaks the rule enum in 1 of 40 rows: row 8 has 'BA'; give one of AA, Zürich, Air"),
        (changed(7, carrier=""), "column 'carrier' breaks the rule required in 1 of 40 rows: row 8 has ''"),
        (changed(7, left="07.01.2013"), "column 'left' breaks the rule format default in 1 of 40 rows: row 8 has '07.01.2013'; give a date and time like 2026-01-31T23:59:58"),
        (changed(7, late="maybe"), "column 'late' breaks the rule type boolean in 1 of 40 rows: row 8 has 'maybe'; give one of yes, no"),
        (changed(7, id="3"), "column 'id' breaks the rule unique in 2 of 40 rows: row 4 of 'a.csv' and row 8 of 'a.csv' have the same value"),
        (text([{**row, "late": "" if number < 8 else row["late"]} for number, row in enumerate(rows())]), "column 'late' breaks the rule required in 8 of 40 rows: row 1 has '', row 2 has '', row 3 has '' and 5 more"),
        (text([{**row, "temp": row["temp"].replace(".", ";")} for row in rows()]), "column 'temp' breaks the rule type number in 40 of 40 rows"),
        ("", "it is empty"),
        (f"{HEADER}\n", "there are no rows"),
        (text(rows(), HEADER.replace("temp", "distance")), "wrong columns: 'temp' missing; 'distance' given twice"),
        (text([{"index": str(number), **row} for number, row in enumerate(rows())], f",{HEADER}"), "wrong columns: '' not expected. Allowed are exactly 'carrier', 'distance', 'temp', 'left', 'late' and 1 more. A column without a name is the index that pandas writes: write with index=False"),
        (text(rows()).replace(",", ";"), "wrong columns: 'carrier', 'distance', 'temp', 'left', 'late' and 1 more missing; 'id;carrier;distance;temp;left;comment;late' not expected. Allowed are exactly 'carrier', 'distance', 'temp', 'left', 'late' and 1 more. The file is separated by ';': give csv.delimiter"),
        (text(rows()).encode() + "41,ü".encode("latin-1"), "it is not text in UTF-8 (invalid start byte): save it as CSV in UTF-8, or give csv.encoding"),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_named(
    tmp_path: Path, spec: ModelSpec, content: str | bytes, sentence: str
) -> None:
    with pytest.raises(SchemaError) as refused:
        read(tmp_path, spec, {"a.csv": content})
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_each_column_s_faults_are_named_at_once(tmp_path: Path, spec: ModelSpec) -> None:
    with pytest.raises(SchemaError) as refused:
        read(tmp_path, spec, {"a.csv": changed(7, temp="warm", carrier="BA")})
    assert str(refused.value).startswith("'a.csv': column 'carrier' breaks the rule enum in 1 of 40 rows")
    assert "; column 'temp' breaks the rule type number" in str(refused.value)


def test_a_key_of_another_file_is_a_double(tmp_path: Path, spec: ModelSpec) -> None:
    with pytest.raises(
        SchemaError, match=r"unique in 80 of 80 rows: row 1 of 'a.csv' and row 1 of 'b.csv' have"
    ):
        read(tmp_path, spec, {"a.csv": text(rows()), "b.csv": text(rows())})


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"late": "yes"}, "column 'late' is True in all 40 rows; give rows of other values"),
        (
            {"temp": "3"},
            "column 'temp' is 3.0 in all 40 rows; it tells a model nothing: name it below ignored",
        ),
        ({"distance": ""}, "column 'distance' is missing in all 40 rows; it tells a model nothing"),
    ],
)
def test_a_column_of_one_value_is_refused(
    tmp_path: Path, spec: ModelSpec, cells: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SchemaError, match=sentence):
        read(tmp_path, spec, {"a.csv": text([{**row, **cells} for row in rows()])})


def test_a_class_with_one_row_is_refused(tmp_path: Path, spec: ModelSpec) -> None:
    table = [{**row, "late": "yes" if row["id"] == "3" else "no"} for row in rows()]
    with pytest.raises(
        SchemaError, match=r"part of \d+ rows has no row of late True, of which there are 1 in all"
    ):
        split(read(tmp_path, spec, {"a.csv": text(table)}), spec)


def test_one_row_is_refused(tmp_path: Path, spec: ModelSpec) -> None:
    with pytest.raises(
        SchemaError, match=r"the (train|validation) part has none of the 1 rows; give more rows"
    ):
        split(read(tmp_path, spec, {"a.csv": text(rows(1))}), spec)


# Parquet


def parquet(folder: Path, name: str, **columns: Any) -> None:
    frame = pd.DataFrame(
        {
            "id": range(len(name) * 100, len(name) * 100 + 4),
            "carrier": ["AA", "Zürich, Air", "AA", "AA"],
            "distance": [1, None, 3, 4],
            "temp": [1.5, 2, None, 3],
            "left": [datetime(2013, 1, 1), None, datetime(2013, 1, 2), datetime(2013, 1, 3)],
            "comment": ["a", "b", "c", "d"],
            "late": [True, False, True, False],
            **columns,
        }
    )
    frame.to_parquet(folder / name, index=False)


def test_parquet_and_csv_are_one_table(tmp_path: Path, spec: ModelSpec) -> None:
    parquet(tmp_path, "b.parquet")
    frame = read(tmp_path, spec, {"a.csv": text(rows())})
    assert len(frame) == 44
    assert frame["distance"].isna().sum() == 7
    assert frame["late"].tolist()[-4:] == [True, False, True, False]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"temp": ["1.5", "2", "3", "4"]}, r"'bb.parquet': column 'temp' breaks the rule type number in 4 of 4 rows: row 1 has '1.5'"),
        ({"late": [1, 0, 1, 0]}, "'bb.parquet': column 'late' breaks the rule type boolean in 4 of 4 rows: row 1 has"),
        ({"more": [1, 2, 3, 4]}, "'bb.parquet': wrong columns: 'more' not expected"),
        ({"distance": [2**60, 1, 2, 3]}, "'bb.parquet': column 'distance' breaks the rule type integer in 1 of 4 rows"),
    ],
)  # fmt: skip
def test_a_parquet_file_whose_schema_differs_from_its_neighbour_s_is_named(
    tmp_path: Path, spec: ModelSpec, columns: dict[str, Any], sentence: str
) -> None:
    parquet(tmp_path, "a.parquet")
    parquet(tmp_path, "bb.parquet", **columns)
    with pytest.raises(SchemaError, match=sentence):
        read_raw(tmp_path, spec)


def test_a_damaged_parquet_file_is_named(tmp_path: Path, spec: ModelSpec) -> None:
    with pytest.raises(SchemaError, match=r"'a\.parquet': it is damaged: "):
        read(tmp_path, spec, {"a.parquet": b"PAR1 and nothing more"})


# model.yaml


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("name: temp, type: number}", "name: late, type: number}", "column 'late' is named twice; allowed: once, as a feature, as the target or as ignored"),
        ("name: temp, type: number}", "name: temp, type: decimal}", "features.2.type is 'decimal'; allowed: 'number', 'integer', 'string'"),
        ("name: temp, type: number}", "name: temp, type: number, minimum: 0}", "features.2: minimum = 0 is no field of a column; give constraints: {minimum: 0}"),
        ("name: temp, type: number}", "name: temp, type: string}", "feature 'temp' has type string; add constraints: {enum: [its categories]}"),
        ("enum: [AA,", "enum: [AA, 1,", "column 'carrier' has 1 in its enum; allowed: text, in quotes where YAML would read something else"),
        ("enum: [AA,", "enum: [AA, AA,", "'AA' is there twice; allowed: once"),
        ("enum: [AA,", "enum: [AA, true,", "features.0.constraints.enum.1 is True; allowed: whole numbers, or text"),
        ('falseValues: ["no"]', 'falseValues: ["yes"]', "'yes' in trueValues and in falseValues"),
        ("minimum: 0}", "minimum: yesterday}", "features.1.constraints.minimum is 'yesterday'; allowed: a number or a date"),
        ("ignored: [comment,", "ignored: [late, comment,", "column 'late' is named twice"),
        ("seed: 1", "seed: 1\nseed: 2", 'found duplicate key "seed"'),
        ("seed: 1", "seed: one", "seed is 'one'; allowed: a valid integer"),
        ("seed: 1", "seed: 1\nscaler: 3", "scaler is 3; allowed: a valid string"),
        ("seed: 1", "seed: 1\ntask: regression", "task is regression and target is of type boolean; allowed: a number"),
        ("{metric: roc_auc}", "{metric: rmse}", "objective.metric is rmse, a metric not of classification; allowed: accuracy"),
        ("{metric: roc_auc}", "{metric: roc_auc, direction: minimize}", "direction is 'minimize'; allowed: 'maximize' for roc_auc"),
        ("{metric: roc_auc}", "{metric: auc}", "objective.metric: it is 'auc'; allowed: accuracy, balanced_accuracy"),
        ("test: 0.2}", "test: 0.2, by: {time: carrier}}", "split.by.time is 'carrier', of type string; allowed: a date or number"),
    ],
)  # fmt: skip
def test_a_slip_in_model_yaml_is_named(right: str, wrong: str, sentence: str) -> None:
    assert right in MODEL_YAML
    with pytest.raises(SpecError) as refused:
        parse_spec(MODEL_YAML.replace(right, wrong))
    assert sentence in str(refused.value)
