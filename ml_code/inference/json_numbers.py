"""Numbers of requests and answers in JSON: many at once by Arrow.

It writes the shortest text that reads as the same number.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json
from numpy.typing import NDArray

from ml_code.table.cells import Values
from ml_code.table.rows import arrow_numbers

# Below, Python's own encoder is quicker.
_MANY = 200
_ROWS = pa.field("rows", pa.list_(pa.list_(pa.float64())))
_TABLE = (pa.field("columns", pa.list_(pa.string())), _ROWS.with_name("data"))
# The forms of a request, by their first key.
_SCHEMAS = {
    b"instances": pa.schema([_ROWS.with_name("instances")]),
    b"dataframe_split": pa.schema([pa.field("dataframe_split", pa.struct(_TABLE))]),
    b"columns": pa.schema(_TABLE),
}
_FIRST_KEY = re.compile(rb'\s*\{\s*"(\w+)"')


def read_numbers(content: bytes, names: Sequence[str]) -> Values | None:
    """Read rows that are lists of numbers, of columns with these names in this order.

    Return None of any other document, also of one that is no JSON: Python's reader says what is wrong with it.
    """
    if content.lstrip()[:1] == b"[":
        content = b'{"instances":' + content + b"}"  # Arrow reads objects only
    first = _FIRST_KEY.match(content)
    schema = _SCHEMAS.get(first[1]) if first else None
    if schema is None:
        return None
    try:
        table = arrow_json.read_json(
            pa.BufferReader(content),
            arrow_json.ReadOptions(use_threads=False, block_size=len(content) + 1),
            # What the schema does not have ends the reading there: a document cannot be nested deeper than that.
            arrow_json.ParseOptions(schema, newlines_in_values=True, unexpected_field_behavior="error"),
        )
        if table.num_rows != 1:
            return None
        return _numbers(table.to_struct_array().combine_chunks(), names)
    except (pa.ArrowException, UnicodeDecodeError):
        return None


def _numbers(document: pa.StructArray, names: Sequence[str]) -> Values | None:
    """The rows of the one document."""
    if document.type.names == ["dataframe_split"]:
        document = document.field(0)
    if document.type.names == ["columns", "data"] and document.field(0)[0].as_py() != names:
        return None
    rows = document.field(document.type.num_fields - 1).flatten()
    widths = set(pc.min_max(pc.list_value_length(rows)).as_py().values())
    if rows.null_count or widths != {len(names)}:
        return None
    values = arrow_numbers(pa.chunked_array([rows.flatten()]))
    return None if values is None else values.reshape(-1, len(names))


def numbers_text(values: Values) -> str:
    """JSON of a list of numbers; ValueError for nan and infinity."""
    if values.size < _MANY:
        return json.dumps(values.tolist(), allow_nan=False)
    return f"[{_all_joined(_texts(values), ',')}]"


def rows_text(values: Values) -> str:
    """JSON of a list of rows, each a list of numbers."""
    if values.size < _MANY:
        return json.dumps(values.tolist(), allow_nan=False)
    return f"[[{_all_joined(_joined_rows(values), '],[')}]]"


def row_texts(values: Values) -> list[str]:
    """JSON of each row."""
    if values.size < _MANY:
        return [json.dumps(row, allow_nan=False) for row in values.tolist()]
    return [f"[{row}]" for row in _joined_rows(values).to_pylist()]


def _all_joined(texts: pa.StringArray, separator: str) -> str:
    # To join them here is quicker than to make a Python string of each.
    found: str = _joined(texts, np.array([0, len(texts)]), separator)[0].as_py()
    return found


def _joined_rows(values: Values) -> pa.StringArray:
    return _joined(_texts(values.ravel()), np.arange(0, values.size + 1, values.shape[1]), ",")


def _joined(texts: pa.StringArray, ends: NDArray[np.int64], separator: str) -> Any:
    """The texts from each end to the next, joined."""
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), texts), separator)


def _texts(values: Values) -> pa.StringArray:
    if not np.isfinite(values).all():
        raise ValueError("a prediction is not a finite number")
    return pc.cast(pa.array(values), pa.string())
