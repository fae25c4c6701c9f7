"""Rows of a prediction request, read and checked against the model's schema.

A request is one of
- `text/csv`, written as the raw data are (delimiter, decimal character, missing values, formats of dates): one row a line,
  with or without a header line. The first line is a header when it is the schema's column names, in their order; or in
  another order, unless all of them are numbers, for then it could be a row;
- `application/json`: `{"instances": rows}`, `{"dataframe_records": records}` or
  `{"dataframe_split": {"columns": names, "data": rows}}`, as MLflow's scoring server takes them,
  a bare `{"columns": names, "data": rows}`, or a bare list of rows. A row is a list in the schema's
  order of columns, or a record of column name: value. A missing value is null.
"""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ml_code.inference.json_numbers import read_numbers
from ml_code.table.cells import Values
from ml_code.table.columns import Schema, SchemaError
from ml_code.table.contract import allowed_cells, check_columns, check_values, find_bad_rows
from ml_code.table.rows import RowReader

JSON = "application/json"
CSV = "text/csv"
MAX_BODY_BYTES = 5 * 1024 * 1024  # of this code: the image's server has no limit
# Fewer are read as quickly cell by cell.
_MANY_CHARACTERS = 4_000
_MAX_ERROR_CHARACTERS = 600  # a message may quote a value of the request, however long
_JSON_FORMS = '{"instances": rows}, {"columns": names, "data": rows} or a list of rows'


class RequestError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def media_type(header: str) -> str:
    return header.split(";", 1)[0].strip().lower()


def read_request(reader: RowReader, content: bytes | str, content_type: str | None) -> Values:
    """The request's rows, checked and encoded, columns in the schema's order."""
    found = media_type(content_type or "")
    if found not in (JSON, CSV):
        raise RequestError(415, f"Content-Type must be {JSON} or {CSV}, got {content_type!r}")
    check_size(reader.schema, content)
    try:
        return _read_json(reader, content) if found == JSON else _read_csv(reader, content)
    except RecursionError:
        raise RequestError(400, "the body is not valid JSON: it is nested too deeply") from None


def check_size(schema: Schema, content: bytes | str) -> None:
    check_byte_count(len(content))
    if not content.strip():
        raise RequestError(400, f"the body is empty; send rows of {_expected(schema)}")


def check_byte_count(count: int) -> None:
    if count > MAX_BODY_BYTES:
        size = f"{count:,} bytes, at most {MAX_BODY_BYTES:,} are allowed"
        raise RequestError(413, f"the body has {size}: send fewer rows at a time")


def _read_json(reader: RowReader, content: bytes | str) -> Values:
    schema = reader.schema
    if (found := _read_plain_json(reader, content)) is not None:
        return found
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
    ordered = _in_order(schema, columns, rows)
    return _checked(schema, reader.values(ordered), ordered)


def _read_plain_json(reader: RowReader, content: bytes | str) -> Values | None:
    """Read many good rows of numbers quickly; return None if there is anything else, or any fault."""
    schema = reader.schema
    if len(content) < _MANY_CHARACTERS or isinstance(content, str) or not schema.has_numbers_only:
        return None
    return _if_good(schema, read_numbers(content, schema.names))


def _if_good(schema: Schema, values: Values | None) -> Values | None:
    return values if values is not None and len(values) and allowed_cells(values, schema).all() else None


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


def _read_csv(reader: RowReader, content: bytes | str) -> Values:
    schema = reader.schema
    text = _decoded(schema, content)
    if (found := _read_plain_csv(reader, text)) is not None:
        return found
    try:
        lines = csv.reader(io.StringIO(text), strict=True, delimiter=schema.dialect.delimiter)
        rows = [row for row in lines if row]
    except csv.Error as error:
        raise RequestError(400, f"the body is not valid CSV in UTF-8: {error}") from None
    columns = header(schema, rows[0]) if rows else None
    if columns:
        rows = rows[1:]
    if not rows:
        raise RequestError(400, f"there are no rows; send at least one, of {_expected(schema)}")
    columns = columns or schema.names
    _check_widths(schema, columns, rows)
    ordered = _in_order(schema, columns, rows)
    return _checked(schema, reader.texts(ordered), ordered)


def _read_plain_csv(reader: RowReader, text: str) -> Values | None:
    """Read many good rows quickly; return None if the request is not plain or has any fault."""
    schema = reader.schema
    if len(text) < _MANY_CHARACTERS or '"' in text:
        return None
    first_line = text[: text.find("\n")].rstrip("\r").split(schema.dialect.delimiter)
    columns = header(schema, first_line)
    if columns not in (None, schema.names):
        return None
    return _if_good(schema, reader.plain_csv(text.encode(), skipped_lines=0 if columns is None else 1))


def _decoded(schema: Schema, content: bytes | str) -> str:
    encoding = schema.dialect.encoding
    try:
        text = content if isinstance(content, str) else content.decode(encoding)
    except UnicodeError as error:
        raise RequestError(400, f"the body is not valid CSV in {encoding.upper()}: {error}") from None
    return text.removeprefix("\ufeff")


def header(schema: Schema, first_row: list[str]) -> list[str] | None:
    """The column names when the row is a header, None when it is data; SchemaError when it has other names."""
    names = [cell.strip() for cell in first_row]
    if names == schema.names:
        return names
    if all(map(_is_number, names)):
        return None
    if sorted(names) == schema.sorted_names:
        return names
    # Text alone is never a row of numbers; else it is a header where a name is known.
    is_all_text = any(names) and not any(map(_is_number, names))
    if is_all_text and (schema.has_numbers_only or not set(names).isdisjoint(schema.names)):
        check_columns(names, schema)
        return names
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _check_widths(schema: Schema, columns: list[str], rows: list[Any]) -> None:
    width = len(columns)
    if {list}.issuperset(map(type, rows)) and {width}.issuperset(map(len, rows)):
        return
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list):
            raise RequestError(400, f"row {number} must be a list of {width} values, got {row!r}")
        if len(row) != width:
            raise RequestError(400, f"row {number} has {len(row)} values; send {_expected(schema)}")


def _in_order(schema: Schema, columns: list[str], rows: list[list[Any]]) -> Sequence[Sequence[Any]]:
    if columns == schema.names:
        return rows
    check_columns(columns, schema)
    place_of = {name: place for place, name in enumerate(columns)}
    places = [place_of[name] for name in schema.names]
    return [[row[place] for place in places] for row in rows]


def _checked(schema: Schema, values: Values, rows: Sequence[Sequence[Any]]) -> Values:
    check_values(values, schema, lambda row, position: rows[row][position])
    return values


def _expected(schema: Schema) -> str:
    names = schema.names
    shown = ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:3])} … {names[-1]}"
    return f"{len(names)} columns ({shown})"


def read_lines(reader: RowReader, lines: Sequence[str]) -> tuple[Values, list[int], dict[int, str]]:
    """Read the lines of a batch: allowed rows, encoded; the index of each one's line; and the faults of the others."""
    faults: dict[int, str] = {}
    rows: list[list[str]] = []
    indices: list[int] = []
    for index, line in enumerate(lines):
        cells = line_cells(reader.schema, line)
        if isinstance(cells, str):
            faults[index] = cells
        else:
            rows.append(cells)
            indices.append(index)
    if not rows:
        return np.empty((0, len(reader.schema.columns))), [], faults
    values = reader.texts(rows)
    bad = find_bad_rows(values, reader.schema, lambda row, position: rows[row][position].strip())
    faults.update({indices[row]: shortened(reason) for row, reason in bad.items()})
    good = [row for row in range(len(rows)) if row not in bad]
    return values[good], [indices[row] for row in good], faults


def split_line(schema: Schema, line: str) -> list[str]:
    """The cells of a line by itself; csv.Error when its quotes do not fit."""
    if '"' not in line:
        return line.rstrip("\r").split(schema.dialect.delimiter)
    return next(csv.reader([line.rstrip("\r")], strict=True, delimiter=schema.dialect.delimiter))


def line_cells(schema: Schema, line: str) -> list[str] | str:
    """The cells of a line, or why there are none."""
    try:
        cells = split_line(schema, line)
    except csv.Error as error:
        return f"the line is not valid CSV: {error}"
    if len(cells) != len(schema.names):
        given = f"{len(cells)} values" if line.strip() else "the line is empty"
        return f"{given}; give {_expected(schema)}"
    return cells


def is_header_line(schema: Schema, line: str) -> bool:
    """Whether the line has the schema's column names in their order; RequestError when in another, or only some."""
    try:
        names = [cell.strip() for cell in split_line(schema, line)]
    except csv.Error:
        return False
    if names == schema.names:
        return True
    texts = [name for name in names if not _is_number(name)]
    known = [name for name in texts if name in set(schema.names)]
    if known and (len(known) == len(texts) or schema.has_numbers_only):
        raise RequestError(400, f"the header line must be {','.join(schema.names)}, got {line}")
    return False


def shortened(message: str) -> str:
    half = _MAX_ERROR_CHARACTERS // 2
    return message if len(message) <= 2 * half else f"{message[:half]} … {message[-half:]}"
