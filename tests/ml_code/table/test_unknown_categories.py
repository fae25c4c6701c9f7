"""A category outside `enum` is kept apart from a missing one: from the raw file to the rows that verify an endpoint."""

import json
from pathlib import Path

import numpy as np
import pytest

from ml_code.inference.requests import CSV, JSON, read_lines, read_request
from ml_code.jobs.parts import part_file, read_part, split
from ml_code.jobs.preprocess import read_raw
from ml_code.jobs.train import train
from ml_code.spec import ModelSpec, parse_spec
from ml_code.table.columns import SchemaError
from ml_code.table.frames import encode
from ml_code.table.rows import RowReader
from ml_code.table.text import read_csv, write_csv
from tests.ml_code.table.test_bad_data import MODEL_YAML, rows, text

UNLISTED = 2.0  # the code behind those of the two categories


@pytest.fixture
def spec() -> ModelSpec:
    return parse_spec(f"{MODEL_YAML}unknown_categories: unknown\n")


def write_raw(folder: Path, *carriers: str) -> None:
    table = rows(200)
    for row, carrier in zip(table, carriers * 20, strict=False):
        row["carrier"] = carrier
    (folder / "a.csv").write_text(text(table), encoding="utf-8")


def test_a_required_category_may_be_unlisted_in_each_step(tmp_path: Path, spec: ModelSpec) -> None:
    write_raw(tmp_path, "new", "AA")
    parts = split(read_raw(tmp_path, spec), spec)
    schema = spec.request_schema()
    place = schema.names.index("carrier")
    for name, part in parts.items():
        part.to_parquet(tmp_path / part_file(name), index=False)
    test = read_part(tmp_path, "test")
    features = test.drop(columns="late")
    codes = encode(features, schema)
    assert set(codes[:, place].tolist()) == {0.0, 1.0, UNLISTED}

    verifying = write_csv(test, spec.training_schema())
    again = read_csv(verifying, spec.training_schema())
    assert np.array_equal(encode(again[schema.names], schema), codes, equal_nan=True)
    body = write_csv(features, schema)
    reader = RowReader(schema)
    assert np.array_equal(read_request(reader, body, CSV), codes, equal_nan=True)
    batch, _, faults = read_lines(reader, body.decode().splitlines()[1:])
    assert not faults
    assert np.array_equal(batch, codes, equal_nan=True)

    model = train(spec, {"max_iter": 5}, read_part(tmp_path, "train"))
    served = model.probabilities(read_request(reader, body, CSV))
    assert np.array_equal(model.predict_proba(features), served)


def test_a_new_category_of_a_request_is_the_same(spec: ModelSpec) -> None:
    schema = spec.request_schema()
    reader = RowReader(schema)
    found = [
        read_request(reader, json.dumps([[carrier, 1, 2.0, None]]), JSON)[0, 0]
        for carrier in ("never seen", schema.unknown_text)
    ]
    assert found == [UNLISTED, UNLISTED]


def test_a_missing_one_is_refused_where_it_is_required(tmp_path: Path, spec: ModelSpec) -> None:
    write_raw(tmp_path, "new", "")
    with pytest.raises(SchemaError, match="column 'carrier' breaks the rule required in 20 of 200 rows"):
        read_raw(tmp_path, spec)


def test_the_text_of_unlisted_categories_is_none_of_the_listed() -> None:
    changed = MODEL_YAML.replace("enum: [AA,", 'enum: ["(unknown)",')
    spec = parse_spec(f"{changed}unknown_categories: unknown\nmissingValues: ['', '((unknown))']\n")
    assert spec.request_schema().unknown_text == "(((unknown)))"
