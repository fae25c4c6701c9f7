"""A Parquet file, whose columns have types."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from operations.errors import OperationError
from operations.model_init.raw_table import ColumnBuilder, RawColumn, RawTable


def read_parquet(path: Path) -> RawTable:
    table = read_arrow(path)
    return RawTable([_column(name, table.column(name)) for name in table.column_names], "parquet")


def read_arrow(path: Path) -> Any:
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise OperationError(f"{path} has the column {twice[0]!r} twice; give each a name of its own")
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise OperationError(f"{path} is no readable Parquet file: {' '.join(str(error).split())}") from None


def _column(name: str, cells: Any) -> RawColumn:
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    builder = ColumnBuilder(name)
    builder.add([_text(cell) for cell in cells.to_pylist()])
    return builder.column(_type(cells.type))


def _type(kind: Any) -> str:
    """The type in the words of Table Schema; "" for one that no model takes."""
    types = pa.types
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind):
        return "integer"
    if types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_date(kind):
        return "date"
    if types.is_timestamp(kind):
        return "datetime"
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return "string" if is_text else ""


def _text(cell: Any) -> str:
    """Missing values as the empty text; NaN is one, too."""
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN alone differs from itself
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="microseconds")
    return cell.isoformat() if isinstance(cell, date) else str(cell)
