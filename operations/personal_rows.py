"""One person's rows of a file, and the file without them. Pure: no AWS.

A row is the person's when the key column says so. What the factory derives from raw data has only the columns of model.yaml:
there, a row is the person's when it equals one of the person's raw rows in all of them.
"""

import csv
import gzip
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow as pa

from ml_code.drift.captures import CaptureError, asked
from ml_code.inference.requests import RequestError, read_request
from ml_code.raw_files import GZIP
from ml_code.table.cells import Reader, readers
from ml_code.table.columns import Schema, SchemaError
from ml_code.table.rows import RowReader

IsTheirs = Callable[[Sequence[Any]], bool]


@dataclass(frozen=True, kw_only=True)
class Person:
    column: str
    value: str
    schema: Schema
    """The schema of requests: the features, in order."""
    file_schema: Schema | None = None
    """The schema of raw data, which has more columns."""
    rows: tuple[Mapping[str, Any], ...] = ()
    """The rows found in raw data, by column."""

    def with_rows(self, rows: Sequence[Mapping[str, Any]]) -> "Person":
        return replace(self, rows=(*self.rows, *rows))

    @cached_property
    def _readers(self) -> dict[str, Reader]:
        schema = self.file_schema or self.schema
        return dict(zip(schema.names, readers(schema), strict=True))

    def _plain(self, name: str, cell: Any) -> float | str:
        """The same of all texts and values that mean the same: 3 and 3.0, a date in its format and as a moment."""
        reader = self._readers.get(name)
        if reader is not None and not isinstance(cell, float):
            value = reader.text(cell) if isinstance(cell, str) else reader.value(cell)
            # What is no value of the column is compared as it is written.
            return _missing_as_text(value) if not math.isinf(value) else _plain(cell)
        return _plain(cell)

    def finder(self, header: Sequence[str]) -> IsTheirs:
        """Tell whose a row under these columns is; its cells are text, or encoded values."""
        if self.column in header:
            key, wanted = header.index(self.column), self._plain(self.column, self.value)
            return lambda row: len(row) > key and self._plain(self.column, row[key]) == wanted
        known = {name for row in self.rows for name in row}
        if not (set(self.schema.names) <= set(header) or set(header) <= known):
            return lambda _row: False
        places = [(place, name) for place, name in enumerate(header) if name in known]
        theirs = {tuple(self._plain(name, row.get(name, "")) for _, name in places) for row in self.rows}
        return lambda row: (
            len(row) == len(header)
            and tuple(self._plain(name, row[place]) for place, name in places) in theirs
        )

    def is_in_request(self, content: bytes, content_type: str) -> bool:
        try:
            values = read_request(RowReader(self.schema), content, content_type)
        except (RequestError, SchemaError):
            # Refused, or of a version with other columns: only the key can be looked for.
            words = re.split(rb"[^\w.@+-]+", content)
            return self.value.encode() in words
        is_theirs = self.finder(self.schema.names)
        return any(is_theirs(row) for row in values.tolist())


@dataclass(frozen=True, kw_only=True)
class Edit:
    erased: tuple[Mapping[str, Any], ...]
    """Rows, or lines of requests, by column; empty mappings where columns have no names."""
    content: bytes | None
    """The content that is left; None when nothing is."""


class UnreadableError(Exception):
    """A file that is neither UTF-8 text nor such text compressed by gzip."""


def without_rows(content: bytes, person: Person, *, has_header: bool) -> Edit:
    """A CSV file; what stays, stays byte by byte. `has_header` False: unless the first line names columns."""
    dialect = person.schema.dialect
    is_compressed = content.startswith(GZIP)
    header: list[str] = []
    is_theirs: IsTheirs | None = None
    kept, rows_kept, erased = [], 0, []
    for row, text in _records(_decoded(content, dialect.encoding), dialect.delimiter):
        if is_theirs is None and row:
            names = [name.strip() for name in row]
            first_is_header = has_header or set(names) >= set(person.schema.names)
            header = names if first_is_header else person.schema.names
            is_theirs = person.finder(header)
            if first_is_header:
                kept.append(text)
                continue
        if row and is_theirs and is_theirs(row):
            erased.append(dict(zip(header, row, strict=False)))
        else:
            kept.append(text)
            rows_kept += bool(row)
    left = "".join(kept).encode(dialect.encoding)
    if is_compressed:
        left = gzip.compress(left, mtime=0)
    return Edit(erased=tuple(erased), content=left if rows_kept else None)


def without_parquet_rows(content: bytes, person: Person) -> Edit:
    """A Parquet file that the factory wrote, or of raw data."""
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableError(" ".join(str(error).split())) from None
    header = [str(name) for name in frame.columns]
    is_theirs = person.finder(header)
    rows = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    theirs = [is_theirs(row) for row in rows]
    erased = tuple(
        dict(zip(header, row, strict=True)) for row, found in zip(rows, theirs, strict=True) if found
    )
    left = frame[[not found for found in theirs]]
    return Edit(erased=erased, content=left.to_parquet(index=False) if len(left) else None)


def without_requests(content: bytes, person: Person) -> Edit:
    """A file of captured requests without those, as a whole, in which a row is the person's."""
    kept, erased = [], 0
    for line in content.splitlines(keepends=True):
        try:
            theirs = bool(line.strip()) and person.is_in_request(*asked(line))
        except CaptureError:
            theirs = person.value.encode() in line
        if theirs:
            erased += 1
        else:
            kept.append(line)
    left = b"".join(kept)
    return Edit(erased=tuple({} for _ in range(erased)), content=left if left.strip() else None)


def whole_document(content: bytes, person: Person) -> Edit:
    """A JSON document of rows, such as a model's input example: it goes as a whole."""
    theirs = person.is_in_request(content, "application/json")
    return Edit(erased=({},) if theirs else (), content=None)


def _decoded(content: bytes, encoding: str) -> str:
    try:
        plain = gzip.decompress(content) if content.startswith(GZIP) else content
        return plain.decode(encoding)
    except (OSError, EOFError, UnicodeError) as error:
        raise UnreadableError(str(error)) from None


def _records(text: str, delimiter: str) -> Iterator[tuple[list[str], str]]:
    """Each record of CSV with its own text; a quoted cell may have several lines."""
    lines: list[str] = []

    def remembered() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            lines.append(line)
            yield line

    try:
        for number, row in enumerate(csv.reader(remembered(), delimiter=delimiter)):
            cells = [row[0].removeprefix("\ufeff"), *row[1:]] if number == 0 and row else row
            yield cells, "".join(lines)
            lines.clear()
    except csv.Error as error:
        raise UnreadableError(str(error)) from None


def _plain(cell: Any) -> float | str:
    """The cell without its spelling: 3 and 3.0 are the same."""
    if cell is None:
        return ""
    try:
        return _missing_as_text(float(cell))
    except (TypeError, ValueError):
        return str(cell).strip()


def _missing_as_text(value: float) -> float | str:
    return "" if math.isnan(value) else value
