"""Rows of a prediction request, read and checked against the model's schema.

A request is one of
- `text/csv`: one row a line, with or without a header line. The first line is a header when it is the schema's column
  names, in their order; or in another order, unless all of them are numbers, for then it could be a row;
- `application/json`: `{"instances": rows}`, `{"dataframe_records": records}` or
  `{"dataframe_split": {"columns": names, "data": rows}}`, as MLflow's scoring server takes them,
  a bare `{"columns": names, "data": rows}`, or a bare list of rows. A row is a list in the schema's
  order of columns, or a record of column name: value.
"""

import csv
import io
import json
import math
import sys
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_code.schema import Schema, SchemaError, cell_fault, check_columns, check_frame, check_values

JSON = "application/json"
CSV = "text/csv"
MAX_BODY_BYTES = 5 * 1024 * 1024  # the image's own limit
_MAX_ERROR_CHARACTERS = 600  # a message may quote a value of the request, however long
_JSON_FORMS = '{"instances": rows}, {"columns": names, "data": rows} or a list of rows'


class RequestError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def media_type(header: str) -> str:
    return header.split(";", 1)[0].strip().lower()


def read_request(schema: Schema, content: bytes | str, content_type: str | None) -> NDArray[np.float64]:
    """The request's rows, checked, columns in the schema's order."""
    found = media_type(content_type or "")
    if found not in (JSON, CSV):
        raise RequestError(415, f"Content-Type must be {JSON} or {CSV}, got {content_type!r}")
    check_size(schema, content)
    try:
        return _read_json(schema, content) if found == JSON else _read_csv(schema, content)
    except RecursionError:
        raise RequestError(400, "the body is not valid JSON: it is nested too deeply") from None


def check_size(schema: Schema, content: bytes | str) -> None:
    if len(content) > MAX_BODY_BYTES:
        size = f"{len(content):,} bytes, at most {MAX_BODY_BYTES:,} are allowed"
        raise RequestError(413, f"the body has {size}: send fewer rows at a time")
    if not content.strip():
        raise RequestError(400, f"the body is empty; send rows of {_expected(schema)}")


def _read_json(schema: Schema, content: bytes | str) -> NDArray[np.float64]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise RequestError(400, f"the body is not valid JSON: {error}") from None
    names, rows = _rows_of(document)
    if not isinstance(rows, list) or not rows:
        raise RequestError(400, f"there are no rows; send at least one, of {_expected(schema)}")
    if names is None and isinstance(rows[0], dict):
        rows = _record_values(schema, rows)
    columns = schema.names if names is None else names
    _check_widths(schema, columns, rows)
    if columns == schema.names and all(_NUMBERS.issuperset(map(type, row)) for row in rows):
        return _check_numbers(schema, rows)
    return _check_cells(schema, columns, rows)


_NUMBERS = frozenset((int, float))  # not bool, which numpy would take for 0 or 1


def _rows_of(document: Any) -> tuple[list[str] | None, Any]:
    """Column names (None: the schema's) and rows of any of the JSON forms."""
    if isinstance(document, list):
        return None, document
    if isinstance(document, dict):
        for key in ("instances", "dataframe_records"):
            if key in document:
                return None, document[key]
        table = document.get("dataframe_split", document)
        if isinstance(table, dict) and "columns" in table and "data" in table:
            names = table["columns"]
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise RequestError(400, f"columns must be a list of column names, got {names!r}")
            return names, table["data"]
    raise RequestError(400, f"the body must be {_JSON_FORMS}, got {json.dumps(document)}")


def _record_values(schema: Schema, records: list[Any]) -> list[list[Any]]:
    names = schema.names
    expected = dict.fromkeys(names).keys()
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise RequestError(400, f"row {number} must be a record like row 1, got {record!r}")
        if record.keys() != expected:
            _refuse_names(number, schema, list(record))
    return [[record[name] for name in names] for record in records]


def _refuse_names(row: int, schema: Schema, names: list[str]) -> None:
    try:
        check_columns(names, schema)
    except SchemaError as error:
        raise RequestError(400, f"row {row}: {error}") from None


def _read_csv(schema: Schema, content: bytes | str) -> NDArray[np.float64]:
    try:
        text = content if isinstance(content, str) else content.decode()
        rows = [row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise RequestError(400, f"the body is not valid CSV in UTF-8: {error}") from None
    columns = header(schema, rows[0]) if rows else None
    if columns:
        rows = rows[1:]
    if not rows:
        raise RequestError(400, f"there are no rows; send at least one, of {_expected(schema)}")
    columns = columns or schema.names
    _check_widths(schema, columns, rows)
    cells = [_csv_cells(row) for row in rows]
    if columns == schema.names and all(_NUMBERS.issuperset(map(type, row)) for row in cells):
        return _check_numbers(schema, cells)
    return _check_cells(schema, columns, cells)


def header(schema: Schema, first_row: list[str]) -> list[str] | None:
    """The column names when the row is a header, None when it is data; SchemaError when it has other names."""
    names = [cell.strip() for cell in first_row]
    if names == schema.names:
        return names
    if _are_numbers(names):
        return None
    if any(names) and not any(map(_is_number, names)):  # all text is never a row of numbers
        check_columns(names, schema)
        return names
    return names if sorted(names) == schema.sorted_names else None


def _are_numbers(cells: list[str]) -> bool:
    try:
        list(map(float, cells))
    except ValueError:
        return False
    return True


def _is_number(cell: str) -> bool:
    return isinstance(_number_or_text(cell), float)


def _csv_cells(row: list[str]) -> list[Any]:
    try:
        if "_" not in "".join(row):  # Python reads 1_0 as ten
            return list(map(float, row))
    except ValueError:
        pass  # some cell is text: keep it, so that the schema check can name it
    return list(map(_number_or_text, row))


def _number_or_text(cell: str) -> float | str:
    try:
        return cell if "_" in cell else float(cell)
    except ValueError:
        return cell


def _check_widths(schema: Schema, columns: list[str], rows: list[Any]) -> None:
    width = len(columns)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list):
            raise RequestError(400, f"row {number} must be a list of {width} values, got {row!r}")
        if len(row) != width:
            raise RequestError(400, f"row {number} has {len(row)} values; send {_expected(schema)}")


def _check_numbers(schema: Schema, rows: list[list[float]]) -> NDArray[np.float64]:
    """The quick way, without a data frame, for rows of numbers in the schema's order."""
    try:
        values = np.array(rows, dtype=np.float64)
    except OverflowError:  # a whole number beyond float64
        return _check_cells(schema, schema.names, rows)
    check_values(values, schema)
    return values


def _check_cells(schema: Schema, columns: list[str], rows: list[list[Any]]) -> NDArray[np.float64]:
    check_columns(columns, schema)
    cells = [[_within_float64(cell) for cell in row] for row in rows]
    frame = pd.DataFrame(cells, columns=columns, dtype=object)
    checked: NDArray[np.float64] = check_frame(frame, schema).to_numpy(dtype=np.float64)
    return checked


def _within_float64(cell: Any) -> Any:
    """JSON's whole numbers have no limit: one beyond float64 is as good as infinite."""
    return math.inf if isinstance(cell, int) and abs(cell) > sys.float_info.max else cell


def _expected(schema: Schema) -> str:
    names = schema.names
    shown = ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:3])} … {names[-1]}"
    return f"{len(names)} columns ({shown})"


def split_line(line: str) -> list[str]:
    """The cells of a line by itself; csv.Error when its quotes do not fit."""
    if '"' not in line:
        return line.split(",")
    return next(csv.reader([line.rstrip("\r")], strict=True))


def line_cells(schema: Schema, line: str) -> list[float] | str:
    """The numbers of a line, or what is wrong with it."""
    try:
        cells = split_line(line)
    except csv.Error as error:
        return f"the line is not valid CSV: {error}"
    if len(cells) != len(schema.names):
        given = f"{len(cells)} values" if line.strip() else "the line is empty"
        return f"{given}; give {_expected(schema)}"
    numbers = _csv_cells(cells)
    texts = [position for position, cell in enumerate(numbers) if cell.__class__ is str]
    if not texts:
        return numbers
    column, text = schema.columns[texts[0]], numbers[texts[0]].strip()
    return shortened(cell_fault(column, text))


def is_header_line(schema: Schema, line: str) -> bool:
    """Whether the line has the schema's column names in their order; RequestError when in another, or only some."""
    try:
        names = [cell.strip() for cell in split_line(line)]
    except csv.Error:
        return False
    if names == schema.names:
        return True
    texts = [name for name in names if not _is_number(name)]
    if not set(texts).isdisjoint(schema.names):
        raise RequestError(400, f"the header line must be {','.join(schema.names)}, got {line}")
    return False


def shortened(message: str) -> str:
    half = _MAX_ERROR_CHARACTERS // 2
    return message if len(message) <= 2 * half else f"{message[:half]} … {message[-half:]}"
