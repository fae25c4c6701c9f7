"""Encoded rows to Arrow, without the way over a data frame."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_code.table.cells import Values
from ml_code.table.columns import Schema
from ml_code.table.frames import MICROSECONDS, decode


def arrow_schema(schema: Schema, gaps: frozenset[str]) -> pa.Schema:
    """The schema of a frame of `decode`: it has pandas' types of the columns, which depend on their `gaps`."""
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
        """These rows, in this order, of the encoded columns, each of which is a line of `columns`."""
        arrays = [
            self._array(field, column.take(rows)) for field, column in zip(self.schema, columns, strict=True)
        ]
        return pa.record_batch(arrays, schema=self.schema)

    def _array(self, field: pa.Field, values: Values) -> pa.Array:
        # By buffers, as pa.array takes several times as long for numbers and booleans.
        is_missing = np.isnan(values)
        missing_count = int(np.count_nonzero(is_missing))
        validity = None
        if missing_count:
            np.copyto(values, 0, where=is_missing)
            validity = _bits(~is_missing)
        if pa.types.is_dictionary(field.type):
            kind = field.type.index_type
            codes = pa.py_buffer(values.astype(kind.to_pandas_dtype()))
            indices = pa.Array.from_buffers(kind, len(values), [validity, codes], missing_count)
            return pa.DictionaryArray.from_arrays(indices, self._categories[field.name], safe=False)
        if pa.types.is_timestamp(field.type):
            data = pa.py_buffer(np.round(values * MICROSECONDS).astype(np.int64))
        elif pa.types.is_boolean(field.type):
            data = _bits(values != 0)
        else:
            data = pa.py_buffer(values.astype(field.type.to_pandas_dtype(), copy=False))
        return pa.Array.from_buffers(field.type, len(values), [validity, data], missing_count)


def _bits(whether: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(whether, bitorder="little"))
