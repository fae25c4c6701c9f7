"""Cells of one column to encoded values: of text as files have it, and of values as JSON and data frames have them.

Each reader has a plain form for one cell, which says what is allowed. What reads many cells at once may be quicker and
never says otherwise: where it does not understand a cell it leaves all of them to the plain form.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ml_code.table.columns import DATES, DEFAULT_FORMAT, NUMERIC, Column, Dialect, Schema

Values = NDArray[np.float64]
_TEXT_OR_NONE = frozenset((str, type(None)))
_PLAIN_NUMBERS_OR_NONE = frozenset((int, float, type(None)))  # not bool, which Python takes for 0 and 1
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ISO_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?")
_CACHED_DATES = 100_000


class Reader(Protocol):
    def text(self, cell: str) -> float: ...

    def value(self, cell: Any) -> float: ...

    def texts(self, cells: Sequence[str]) -> Values: ...

    def values(self, cells: Sequence[Any]) -> Values: ...


def readers(schema: Schema) -> list[Reader]:
    missing = frozenset(schema.missing_values)
    return [_reader(column, missing, schema) for column in schema.columns]


def _reader(column: Column, missing: frozenset[str], schema: Schema) -> Reader:
    if column.type in NUMERIC:
        return NumberReader(missing, schema.dialect)
    if column.type in DATES:
        return DateReader(column, missing)
    if column.type == "boolean":
        codes = {**dict.fromkeys(column.false_values, 0.0), **dict.fromkeys(column.true_values, 1.0)}
        return _BooleanReader(codes, missing)
    if column.is_text:
        return _TextReader(column, missing)
    unknown = float(len(column.enum)) if schema.unknown_categories else math.inf
    return _CategoryReader({text: float(code) for code, text in enumerate(column.enum)}, missing, unknown)


class NumberReader:
    def __init__(self, missing: frozenset[str], dialect: Dialect) -> None:
        self.missing = missing
        self.decimal_char, self.group_char = dialect.decimal_char, dialect.group_char
        self.is_plain = dialect.decimal_char == "." and not dialect.group_char
        group, decimal = re.escape(dialect.group_char), re.escape(dialect.decimal_char)
        whole = rf"(\d+|\d{{1,3}}({group}\d{{3}})+)" if dialect.group_char else r"\d+"
        self.pattern = re.compile(rf"[+-]?({whole}({decimal}\d*)?|{decimal}\d+)([eE][+-]?\d+)?", re.ASCII)
        self.has_numeric_missing = any(map(_reads_as_number, missing))

    def text(self, cell: str) -> float:
        cell = cell.strip()
        if cell in self.missing:
            return math.nan
        if not self.is_plain:
            if not self.pattern.fullmatch(cell):
                return math.inf
            cell = (cell.replace(self.group_char, "") if self.group_char else cell).replace(
                self.decimal_char, "."
            )
        if "_" in cell or not cell.isascii():  # Python reads 1_0 as ten
            return math.inf
        try:
            number = float(cell)
        except ValueError:
            return math.inf
        return number if math.isfinite(number) else math.inf

    def value(self, cell: Any) -> float:
        if cell is None:
            return math.nan
        if not isinstance(cell, int | float | np.integer | np.floating) or isinstance(cell, bool):
            return math.inf
        try:
            return float(cell)
        except OverflowError:  # JSON's whole numbers have no limit
            return math.inf if cell > 0 else -math.inf

    def texts(self, cells: Sequence[str]) -> Values:
        if self.is_plain and not self.has_numeric_missing:
            joined = "".join(cells)
            # Python reads 1_0 and digits of other scripts; what has an n is nan or inf, or no number.
            if "_" not in joined and "n" not in joined and "N" not in joined and joined.isascii():
                numbers = self._plain_numbers(cells)
                if numbers is not None:
                    return numbers
        return np.fromiter(map(self.text, cells), np.float64, len(cells))

    def _plain_numbers(self, cells: Sequence[str]) -> Values | None:
        missing = self.missing
        for tried in (cells, ["nan" if cell in missing else cell for cell in cells]):
            try:
                return np.fromiter(map(float, tried), np.float64, len(cells))
            except ValueError:
                continue
        return None

    def values(self, cells: Sequence[Any]) -> Values:
        kinds = set(map(type, cells))
        if kinds <= _PLAIN_NUMBERS_OR_NONE:
            plain = [math.nan if cell is None else cell for cell in cells] if type(None) in kinds else cells
            try:
                return np.fromiter(plain, np.float64, len(cells))
            except OverflowError:
                pass
        return np.fromiter(map(self.value, cells), np.float64, len(cells))


class _CodeReader:
    """A reader of texts that stand for a code each."""

    def __init__(self, codes: dict[str, float], missing: frozenset[str], unknown: float) -> None:
        self.codes = {**codes, **dict.fromkeys(missing, math.nan)}
        self.unknown = unknown

    def text(self, cell: str) -> float:
        return self.codes.get(cell.strip(), self.unknown)

    def texts(self, cells: Sequence[str]) -> Values:
        found = list(map(self.codes.get, cells))
        if None in found:  # with spaces around it, or unknown
            return np.fromiter(map(self.text, cells), np.float64, len(cells))
        return np.array(found, dtype=np.float64)


class _CategoryReader(_CodeReader):
    def __init__(self, codes: dict[str, float], missing: frozenset[str], unknown: float) -> None:
        super().__init__(codes, missing, unknown)
        self.codes_or_none: dict[Any, float] = {**self.codes, None: math.nan}

    def value(self, cell: Any) -> float:
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            return math.nan
        return self.text(cell) if isinstance(cell, str) else math.inf

    def values(self, cells: Sequence[Any]) -> Values:
        if _TEXT_OR_NONE.issuperset(map(type, cells)):
            found = list(map(self.codes_or_none.get, cells))
            if None not in found:
                return np.array(found, dtype=np.float64)
        return np.fromiter(map(self.value, cells), np.float64, len(cells))


class _BooleanReader(_CodeReader):
    def __init__(self, codes: dict[str, float], missing: frozenset[str]) -> None:
        super().__init__(codes, missing, math.inf)

    def value(self, cell: Any) -> float:
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            return math.nan
        return float(cell) if isinstance(cell, bool | np.bool_) else math.inf

    def values(self, cells: Sequence[Any]) -> Values:
        return np.fromiter(map(self.value, cells), np.float64, len(cells))


class _TextReader:
    def __init__(self, column: Column, missing: frozenset[str]) -> None:
        self.missing = missing
        self.pattern = re.compile(column.pattern or ".*", re.DOTALL)

    def text(self, cell: str) -> float:
        if cell.strip() in self.missing:
            return math.nan
        return 0.0 if self.pattern.fullmatch(cell) else math.inf

    def value(self, cell: Any) -> float:
        return math.nan if cell is None else self.text(str(cell))

    def texts(self, cells: Sequence[str]) -> Values:
        return np.fromiter(map(self.text, cells), np.float64, len(cells))

    def values(self, cells: Sequence[Any]) -> Values:
        return np.fromiter(map(self.value, cells), np.float64, len(cells))


class DateReader:
    def __init__(self, column: Column, missing: frozenset[str]) -> None:
        self.column, self.missing = column, missing
        length = len("2013-05-01" if column.type == "date" else "2013-05-01T10:21:00")
        is_plain = column.format == DEFAULT_FORMAT and length not in map(len, missing)
        self.plain_length = length if is_plain else 0
        """The length of its commonest texts, which tells them from missing values; 0 if it does not."""
        self.parse = lru_cache(_CACHED_DATES)(self._parse)

    def _parse(self, cell: str) -> float:
        cell = cell.strip()
        if cell in self.missing:
            return math.nan
        try:
            return encoded_date(self._moment(cell))
        except (ValueError, OverflowError):
            return math.inf

    def _moment(self, cell: str) -> datetime:
        if self.column.format != DEFAULT_FORMAT:
            return datetime.strptime(cell, self.column.format)
        if not (_ISO_DATE if self.column.type == "date" else _ISO_DATETIME).fullmatch(cell):
            raise ValueError(cell)
        return datetime.fromisoformat(cell)

    def text(self, cell: str) -> float:
        return self.parse(cell)

    def texts(self, cells: Sequence[str]) -> Values:
        return np.fromiter(map(self.parse, cells), np.float64, len(cells))

    def value(self, cell: Any) -> float:
        if isinstance(cell, str):
            return self.parse(cell)
        if cell is None or (isinstance(cell, float) and math.isnan(cell)) or cell is _not_a_time():
            return math.nan
        if isinstance(cell, datetime):
            return encoded_date(cell)
        return encoded_date(datetime(cell.year, cell.month, cell.day)) if isinstance(cell, date) else math.inf

    def values(self, cells: Sequence[Any]) -> Values:
        read = self.parse if {str}.issuperset(map(type, cells)) else self.value
        return np.fromiter(map(read, cells), np.float64, len(cells))


def _not_a_time() -> Any:
    import pandas as pd

    return pd.NaT


def encoded_date(moment: datetime) -> float:
    """Seconds since 1970, of a moment without a time zone as if it were UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# Of the years that Python has.
FIRST_SECOND = encoded_date(datetime(1, 1, 1, tzinfo=UTC))
AFTER_LAST_SECOND = encoded_date(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) + 1


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
