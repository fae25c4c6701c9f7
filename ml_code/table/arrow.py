"""Encoded rows to Arrow, without the way over a data frame."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_code.table.cells import Values
from ml_code.table.columns import Schema
from ml_code.table.frames import decode

_MICROSECONDS = 1_000_000


def arrow_schema(schema: Schema, gaps: frozenset[str]) -> pa.Schema:
    """As `decode` gives it to Arrow: with pandas' types of the columns, which depend on their `gaps`."""
    no_rows = decode(np.empty((0, len(schema.columns))), schema, gaps=gaps)
    return pa.Table.from_pandas(no_rows, preserve_index=False).schema


class ArrowRows:
    """Makes record batches of one schema, which has no column of free text."""

    def __init__(self, schema: Schema) -> None:
        no_rows = decode(np.empty((0, len(schema.columns))), schema)
        self.schema = arrow_schema(schema, frozenset()).remove_metadata()
        self._categories = {
            name: pa.array(no_rows[name].cat.categories.tolist(), pa.string())
            for name in no_rows.select_dtypes("category")
        }

    def batch(self, columns: Values, rows: NDArray[np.intp]) -> pa.RecordBatch:
        """These rows of the encoded columns, of which each is one line of `columns`."""
        arrays = [
            self._array(field, column.take(rows)) for field, column in zip(self.schema, columns, strict=True)
        ]
        return pa.record_batch(arrays, schema=self.schema)

    def _array(self, field: pa.Field, values: Values) -> pa.Array:
        if pa.types.is_floating(field.type):
            return pa.array(values, field.type, from_pandas=True)
        is_missing: Any = np.isnan(values)
        if is_missing.any():
            values[is_missing] = 0
        else:
            is_missing = None
        if pa.types.is_dictionary(field.type):
            codes = pa.array(values.astype(field.type.index_type.to_pandas_dtype()), mask=is_missing)
            return pa.DictionaryArray.from_arrays(codes, self._categories[field.name])
        if pa.types.is_timestamp(field.type):
            counts = np.round(values * _MICROSECONDS).astype(np.int64)
            return pa.array(counts, mask=is_missing).view(field.type)
        return pa.array(values.astype(field.type.to_pandas_dtype()), mask=is_missing)
