import io
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml_code.schema import Schema, SchemaError, check_frame

GOOD: dict[str, list[Any]] = {"width": [0, 16, 2.5], "height": [-1e9, 0.0, 3], "label": [0, 9, 3]}


def test_good_rows_come_back_as_numbers_in_the_schemas_order(schema: Schema) -> None:
    frame = pd.DataFrame(GOOD)[["label", "height", "width"]]
    checked = check_frame(frame, schema)
    assert list(checked.columns) == ["width", "height", "label"]
    assert checked.dtypes.astype(str).tolist() == ["float64", "float64", "int64"]
    assert checked["width"].tolist() == [0, 16, 2.5]


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("width", 16.5, "16.5 is not allowed; give a number from 0 to 16"),
        ("width", -1, "-1.0 is not allowed"),
        ("height", np.nan, "nan is not allowed; give a number"),
        ("height", np.inf, "inf is not allowed"),
        ("height", None, "nan is not allowed"),
        ("height", "3", "'3' is not allowed"),
        ("height", True, "True is not allowed"),
        ("height", [1], r"\[1\] is not allowed"),
        ("label", 2.5, "2.5 is not allowed; give a whole number from 0 to 9"),
    ],
)
def test_a_bad_value_is_named_with_column_and_row(
    schema: Schema, column: str, value: Any, shown: str
) -> None:
    rows = {name: list(values) for name, values in GOOD.items()}
    rows[column][1] = value
    with pytest.raises(SchemaError, match=f"column '{column}', row 2: {shown}"):
        check_frame(pd.DataFrame(rows), schema)


def test_an_integer_beyond_floating_point_is_out_of_range(schema: Schema) -> None:
    frame = pd.DataFrame({**GOOD, "width": [1, 10**400, 1]}, dtype=object)
    with pytest.raises(SchemaError, match="column 'width', row 2: inf is not allowed"):
        check_frame(frame, schema)


def test_the_word_that_makes_a_csv_column_text_is_named(schema: Schema) -> None:
    frame = pd.read_csv(io.StringIO("width,height,label\n1,1,1\n2,many,1\n3,1,1\n"))
    with pytest.raises(SchemaError, match="column 'height', row 2: 'many' is not allowed"):
        check_frame(frame, schema)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (["width", "height"], "'label' missing"),
        (["width", "height", "label", "depth"], "'depth' not expected"),
        (["Width", "height", "label"], "'width' missing; 'Width' not expected"),
        (["width", "width", "height", "label"], "'width' given twice"),
    ],
)
def test_wrong_columns_are_named(schema: Schema, columns: list[str], sentence: str) -> None:
    with pytest.raises(SchemaError, match=sentence):
        check_frame(pd.DataFrame([[1] * len(columns)], columns=columns), schema)


def test_no_rows_are_refused(schema: Schema) -> None:
    with pytest.raises(SchemaError, match="no rows"):
        check_frame(pd.DataFrame(columns=schema.names), schema)


def test_a_schema_survives_json(schema: Schema) -> None:
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema
