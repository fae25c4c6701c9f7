"""Data frames to CSV, as the schema reads it: in its dialect, with its formats, and nothing lost."""

import csv
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ml_code.table.cells import Values
from ml_code.table.columns import DATES, Column, Schema, SchemaError, format_date
from ml_code.table.frames import decode, encode
from ml_code.table.rows import RowReader


def write_csv(frame: pd.DataFrame, schema: Schema, *, header: bool = True) -> bytes:
    values = encode(frame[schema.names], schema)
    missing = schema.missing_values[0] if schema.missing_values else ""
    columns = [
        _texts(values[:, position], column, schema, missing) for position, column in enumerate(schema.columns)
    ]
    table = io.StringIO()
    writer = csv.writer(table, delimiter=schema.dialect.delimiter, lineterminator="\n")
    if header:
        writer.writerow(schema.names)
    writer.writerows(zip(*columns, strict=True))
    return table.getvalue().encode(schema.dialect.encoding)


def _texts(values: Values, column: Column, schema: Schema, missing: str) -> list[str]:
    return [missing if np.isnan(value) else _text(value, column, schema) for value in values.tolist()]


def _text(value: float, column: Column, schema: Schema) -> str:
    if column.type == "integer":
        return str(int(value))
    if column.type == "boolean":
        return column.true_values[0] if value else column.false_values[0]
    if column.type in DATES:
        return format_date(column, value)
    if column.is_category:
        return str(column.enum[int(value)]) if value < len(column.enum) else schema.unknown_text
    return repr(value).replace(".", schema.dialect.decimal_char)


def read_csv(body: bytes, schema: Schema) -> pd.DataFrame:
    """Read a file that `write_csv` wrote with a header; SchemaError when it has other columns."""
    rows = list(
        csv.reader(io.StringIO(body.decode(schema.dialect.encoding)), delimiter=schema.dialect.delimiter)
    )
    header: Sequence[str] = rows[0] if rows else []
    if list(header) != schema.names or len(rows) < 2:
        raise SchemaError(
            f"the rows must have the columns {', '.join(schema.names[:5])} …, got {len(rows[1:])} rows of "
            f"{', '.join(header[:5])} …"
        )
    return decode(RowReader(schema).texts(rows[1:]), schema)
