"""Numbers of answers to JSON: many at once by Arrow, which writes the shortest text that reads as the same number."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml_code.table.cells import Values

# Below, Python's own encoder is quicker.
_MANY = 200


def numbers_text(values: Values) -> str:
    """JSON of a list of numbers; ValueError for nan and infinity."""
    if values.size < _MANY:
        return json.dumps(values.tolist(), allow_nan=False)
    return f"[{','.join(_texts(values).to_pylist())}]"


def row_texts(values: Values) -> list[str]:
    """A list of numbers for each row."""
    if values.size < _MANY:
        return [json.dumps(row, allow_nan=False) for row in values.tolist()]
    rows, width = values.shape
    offsets = pa.array(np.arange(0, rows * width + 1, width, dtype=np.int32))
    joined: Any = pc.binary_join(pa.ListArray.from_arrays(offsets, _texts(values.ravel())), ",")
    return [f"[{row}]" for row in joined.to_pylist()]


def _texts(values: Values) -> Any:
    if not np.isfinite(values).all():
        raise ValueError("a prediction is not a finite number")
    return pc.cast(pa.array(values), pa.string())
