"""Files of raw data, CSV and Parquet, block by block: a file of any size needs the memory of one block."""

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml_code.raw_files import Digest, RawFileError, is_parquet, open_utf8
from ml_code.table.cells import Values
from ml_code.table.columns import DATES, Column, Schema, SchemaError
from ml_code.table.contract import Faults, are_all_allowed, check_columns
from ml_code.table.frames import encode
from ml_code.table.lines import BLOCK_BYTES, Lines, count_lines
from ml_code.table.ranges import Ranges
from ml_code.table.rows import RowReader
from ml_code.table.threads import thread_count

BLOCK_ROWS = 50_000


@dataclass(frozen=True)
class Block:
    """Consecutive rows, encoded; `texts` has the columns of free text, by name."""

    values: Values
    texts: dict[str, list[Any]]
    is_allowed: bool
    """Whether all cells are: the rows of a file with a fault are of no use."""

    @cached_property
    def ranges(self) -> Ranges:
        return Ranges.of(self.values)


def read_blocks(
    path: Path,
    name: str,
    schema: Schema,
    ignored: frozenset[str] = frozenset(),
    digest: Digest | None = None,
) -> Iterator[Block]:
    """The rows of one file in their order; `ignored` columns of the file are left out. At the end `digest` has its bytes.

    At the end, SchemaError names the file, and of each column the rules that are broken, how often, and the first rows:
    what came before may have rows that are not allowed.
    """
    try:
        faults = Faults(schema)
        if is_parquet(path):
            yield from _parquet_blocks(path, schema, ignored, faults)
            if digest is not None:
                with path.open("rb") as file:
                    while piece := file.read(BLOCK_BYTES):
                        digest.update(piece)
        else:
            with open_utf8(path, schema.dialect.encoding, digest) as text:
                yield from _CsvBlocks(path, Lines(text), schema, faults).read(ignored)
        if not faults.row_count:
            raise SchemaError("there are no rows; send at least one")
        faults.refuse()
    except (SchemaError, RawFileError) as error:
        raise SchemaError(f"{name!r}: {error}") from None


class _CsvBlocks:
    """The rows of a CSV file. Blocks of plain good lines are read by Arrow, the others as Python's csv reads them."""

    def __init__(self, path: Path, lines: Lines, schema: Schema, faults: Faults) -> None:
        self.path = path
        self.lines, self.schema, self.faults = lines, schema, faults
        self.reader = RowReader(schema)
        self.text_names = [column.name for column in schema.columns if column.is_text]
        # One that all readers understand in the same way: without quotes and ends of lines in it.
        ends = re.escape(schema.dialect.delimiter.encode()) + rb"\r\n"
        self.quoted_cell = re.compile(rb'(?:^|(?<=[%b]))"[^"\r\n]*"(?=[%b]|\Z)' % (ends, ends))
        self.wrong_width_count = 0
        self.first_wrong_width = ""

    def read(self, ignored: frozenset[str]) -> Iterator[Block]:
        header = self._header(ignored)
        with ThreadPoolExecutor(thread_count()) as pool:
            for lines, block in self._read_ahead(pool, header):
                if block is None:
                    yield from self._with_care(header, lines)
                elif len(block.values):  # not of blank lines only
                    self.faults.row_count += len(block.values)
                    yield block
        if self.wrong_width_count:
            number = self.wrong_width_count
            raise RawFileError(
                f"{'1 row has' if number == 1 else f'{number:,} rows have'} more or fewer values than the "
                f"{len(header)} of the header; the first is {self.first_wrong_width}"
            )

    def _read_ahead(self, pool: Executor, header: list[str]) -> Iterator[tuple[bytearray, Block | None]]:
        """The next lines and their rows, None if they are not plain: then a quoted cell may go on behind them."""
        waiting: deque[tuple[bytearray, Future[Block | None]]] = deque()
        most = 1
        while True:
            while len(waiting) < most and (lines := self.lines.many()):
                waiting.append((lines, pool.submit(self._plain, header, lines)))
            if not waiting:
                return
            lines, future = waiting.popleft()
            block = future.result()
            most = 1 if block is None else thread_count() + 1
            if block is not None:
                yield lines, block
                continue
            ahead = [each for each, _ in waiting]
            self.lines.put_back(ahead)
            start = self.lines.taken_bytes
            yield lines, None
            if self.lines.taken_bytes == start:
                self.lines.take_again(ahead)
            else:
                for _, late in waiting:
                    late.cancel()
                waiting.clear()

    def _header(self, ignored: frozenset[str]) -> list[str]:
        if not self.schema.dialect.header:
            return self.schema.names
        reader = self._csv(iter(self.lines.one, ""))
        header = next((row for row in self._records(reader, 0) if row), None)
        if header is None:
            raise RawFileError("it is empty")
        names = [cell.removeprefix("\ufeff").strip() for cell in header]
        check_columns([name for name in names if name not in ignored], self.schema)
        return names

    def _plain(self, header: list[str], lines: bytearray) -> Block | None:
        """Return None if the lines are not plain or have any fault."""
        if not lines.isascii():
            lines.decode()
        quotes = lines.count(b'"') if b'"' in lines else 0
        if quotes and 2 * sum(1 for _ in self.quoted_cell.finditer(lines)) != quotes:
            return None
        # Python's csv refuses longer cells.
        if (self.text_names or len(header) > len(self.schema.names)) and (
            _has_longer_line(lines, csv.field_size_limit())
        ):
            return None
        table = self.reader.plain_table(lines, header, skipped_lines=0, has_quotes=quotes > 0)
        values = None if table is None else self.reader.table_values(table)
        if table is None or values is None:
            return None
        texts = {
            name: _texts(table.column(name).to_pylist(), values[:, self.schema.names.index(name)])
            for name in self.text_names
        }
        block = Block(values, texts, is_allowed=True)
        return block if are_all_allowed(values, block.ranges, self.schema) else None

    def _with_care(self, header: list[str], lines: bytearray) -> Iterator[Block]:
        start = self.lines.taken_bytes - len(lines)
        text = lines.decode()
        source = io.StringIO(text, newline="")
        reader = self._csv(self._lines_of(source))

        def records() -> Iterator[list[str]]:
            for row in self._records(reader, start):
                if len(row) == len(header):
                    yield row
                elif row:
                    self.wrong_width_count += 1
                    if self.wrong_width_count == 1:
                        self.first_wrong_width = f"{self._line(reader, start)} with {len(row)}"
                if source.tell() == len(text):
                    return

        rows = records()
        while chunk := list(islice(rows, BLOCK_ROWS)):
            yield self._block(header, chunk)

    def _lines_of(self, source: io.StringIO) -> Iterator[str]:
        yield from iter(source.readline, "")
        yield from iter(self.lines.one, "")  # a quoted cell goes on behind the block

    def _csv(self, lines: Iterator[str]) -> Any:
        return csv.reader(lines, delimiter=self.schema.dialect.delimiter)

    def _records(self, reader: Any, start: int) -> Iterator[list[str]]:
        try:
            yield from reader
        except csv.Error as error:
            raise RawFileError(f"{self._line(reader, start)}: {error}") from None

    def _line(self, reader: Any, start: int) -> str:
        """The line of a reader that began at this byte. Those before it are counted only now: it takes time."""
        return f"line {count_lines(self.path, self.schema.dialect.encoding, start) + reader.line_num}"

    def _block(self, header: list[str], rows: Sequence[Sequence[str]]) -> Block:
        names = self.schema.names
        if header != names:
            places = [header.index(name) for name in names]
            pick = itemgetter(*places)
            rows = [pick(row) for row in rows] if len(places) > 1 else [(row[places[0]],) for row in rows]
        values = self.reader.texts(rows)
        texts = {
            name: _texts([row[position] for row in rows], values[:, position])
            for position, name in enumerate(names)
            if name in self.text_names
        }
        is_allowed = self.faults.add(values, lambda row, position: rows[row][position])
        return Block(values, texts, is_allowed)


def _has_longer_line(lines: bytearray, limit: int) -> bool:
    start = 0
    while len(lines) - start > limit:
        end = lines.rfind(b"\n", start, start + limit + 1)
        if end < 0:
            return True
        start = end + 1
    return False


def _texts(cells: Iterable[Any], values: Values) -> list[Any]:
    return [None if is_missing else cell for cell, is_missing in zip(cells, np.isnan(values), strict=True)]


def _parquet_blocks(path: Path, schema: Schema, ignored: frozenset[str], faults: Faults) -> Iterator[Block]:
    try:
        with pq.ParquetFile(path) as file:
            check_columns([name for name in file.schema_arrow.names if name not in ignored], schema)
            for batch in file.iter_batches(BLOCK_ROWS, columns=schema.names):
                yield _parquet_block(batch, schema, faults)
    except (pa.ArrowException, OSError) as error:
        raise RawFileError(f"it is damaged: {' '.join(str(error).split())}") from None


def _parquet_block(batch: pa.RecordBatch, schema: Schema, faults: Faults) -> Block:
    frame = pd.DataFrame(
        {column.name: _pandas(batch.column(column.name), column) for column in schema.columns}
    )
    values = encode(frame, schema)
    is_allowed = faults.add(values, lambda row, position: _cell(batch.column(schema.names[position]), row))
    texts = {
        column.name: _texts(frame[column.name], values[:, position])
        for position, column in enumerate(schema.columns)
        if column.is_text
    }
    return Block(values, texts, is_allowed)


def _pandas(cells: pa.Array, column: Column) -> "pd.Series[Any]":
    if pa.types.is_decimal(cells.type):
        cells = cells.cast(pa.float64())
    elif pa.types.is_date(cells.type) and column.type in DATES:
        cells = cells.cast(pa.timestamp("s"))
    elif pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = cells.dictionary_encode()
    series: pd.Series[Any] = cells.to_pandas()
    return series


def _cell(cells: pa.Array, row: int) -> Any:
    try:
        return cells[row].as_py()
    except (ValueError, OverflowError):  # a date that Python does not have
        return cells[row].cast(pa.string()).as_py()
