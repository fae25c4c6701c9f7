"""Types of columns, inferred from their cells by the readers that the jobs read them with."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml_code.table.cells import Values, readers
from ml_code.table.columns import (
    FALSE_VALUES,
    LARGEST_INTEGER,
    TRUE_VALUES,
    Column,
    Dialect,
    Schema,
)
from operations.model_init.dates import are_dates_in_several_formats, date_format
from operations.model_init.raw_table import RawColumn, RawTable, shown

# What pandas reads as missing in any column.
_MISSING = frozenset(("NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>"))
# Missing where all else in the column is a number, a date or true and false: in a column of text a category.
_MISSING_BESIDE_VALUES = frozenset(
    ("-", "--", "—", "?", ".", "None", "none", "n.a.", "unknown", "Unknown", "missing", "#DIV/0!", "#VALUE!")
)
_BOOLEAN_WORDS = (
    ("true", "false"),
    ("yes", "no"),
    ("t", "f"),
    ("y", "n"),
    ("on", "off"),
    ("ja", "nein"),
    ("oui", "non"),
)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_LEADING_ZERO = re.compile(r"0\d+", re.ASCII)
_SNIFFED_TEXTS = 2_000
_MOSTLY = 0.8


@dataclass(frozen=True, eq=False)
class TypedColumn:
    raw: RawColumn
    column: Column
    values: Values
    """The number of each of the raw column's texts, as the jobs encode it; NaN is missing."""
    remark: str = ""

    @property
    def name(self) -> str:
        return self.raw.name

    @property
    def cells(self) -> Values:
        """The cells of each row."""
        return self.values[self.raw.codes]

    @property
    def missing_count(self) -> int:
        return int(self.raw.counts[np.isnan(self.values)].sum())

    @property
    def missing_texts(self) -> list[str]:
        return [self.raw.texts[place] for place in np.flatnonzero(np.isnan(self.values))]

    @property
    def present(self) -> list[tuple[str, int]]:
        """Return each distinct value that is not missing, with its number of rows."""
        places = np.flatnonzero(~np.isnan(self.values) & (self.raw.counts > 0))
        return [(self.raw.texts[place], int(self.raw.counts[place])) for place in places]


@dataclass(frozen=True, eq=False)
class TypedTable:
    columns: list[TypedColumn]
    dialect: Dialect
    missing_values: tuple[str, ...]
    remarks: tuple[str, ...]

    def column(self, name: str) -> TypedColumn:
        return next(column for column in self.columns if column.name == name)


def infer_types(table: RawTable) -> TypedTable:
    dialect = table.dialect if table.format == "parquet" else _number_dialect(table)
    typed = [_infer(column, dialect) for column in table.columns]
    missing = {text for column in typed for text in column.missing_texts if text}
    found = ("", *sorted(missing))
    # A word that is missing in one column is so in all: model.yaml has one list.
    columns = [_without_missing(column, frozenset(found)) for column in typed]
    remarks = [*table.remarks]
    if dialect.group_char:
        remarks.append(f"{dialect.group_char!r} is read as the separator of thousands")
    return TypedTable(columns, dialect, found, tuple(remarks))


def _number_dialect(table: RawTable) -> Dialect:
    """The decimal character and thousands separator with which the most columns are numeric."""
    comma_first = table.dialect.delimiter == ";"
    ways = (
        [(".", ""), (",", ""), (",", "."), (".", ",")] if comma_first else [(".", ""), (".", ","), (",", "")]
    )
    ways += [(",", ".")] * (not comma_first)
    ways += [(decimal, group) for group in (" ", "'", "\u2019", "\u00a0", "\u202f") for decimal in ".,"]
    samples = [
        [
            text
            for text in column.texts[:_SNIFFED_TEXTS]
            if text not in _MISSING | _MISSING_BESIDE_VALUES | {""}
        ]
        for column in table.columns
    ]
    dialects = [replace(table.dialect, decimal_char=decimal, group_char=group) for decimal, group in ways]
    return max(
        dialects, key=lambda dialect: sum(bool(texts) and _are_numbers(texts, dialect) for texts in samples)
    )


def _are_numbers(texts: Sequence[str], dialect: Dialect) -> bool:
    return bool(np.isfinite(_read(Column(name=""), texts, dialect)).all())


def _read(column: Column, texts: Iterable[str], dialect: Dialect) -> Values:
    """Infinite where a text is no value of the column's type."""
    (reader,) = readers(Schema((column,), missing_values=("",), dialect=dialect))
    return reader.texts(list(texts))


def _infer(raw: RawColumn, dialect: Dialect) -> TypedColumn:
    is_text = raw.type in (None, "string")
    if not is_text:
        return _of_parquet(raw)
    for missing in (_MISSING, _MISSING | _MISSING_BESIDE_VALUES):
        texts = ["" if text in missing else text for text in raw.texts]
        present = [text for text in texts if text]
        column = _column(raw, present, dialect) if present else None
        if column is not None:
            values = _read(column, texts, dialect)
            if not np.isinf(values).any() and _is_exact(column, values):
                return TypedColumn(raw, column, values)
    texts = ["" if text in _MISSING else text for text in raw.texts]
    codes = np.array([code if text else np.nan for code, text in enumerate(texts)], dtype=np.float64)
    remark = _why_text(raw, [text for text in texts if text], dialect)
    return TypedColumn(raw, Column(name=raw.name, type="string"), codes, remark)


def _is_exact(column: Column, values: Values) -> bool:
    return column.type != "integer" or bool(np.nanmax(np.abs(values)) <= LARGEST_INTEGER)


def _of_parquet(raw: RawColumn) -> TypedColumn:
    column = Column(name=raw.name, type=raw.type or "string")
    if not raw.type:
        return TypedColumn(
            raw, column, np.full(len(raw.texts), np.nan), "nested or binary: no model takes it"
        )
    values = _read(column, raw.texts, Dialect())
    remark = ""
    if raw.type == "integer" and not _is_exact(column, np.append(values, 0)):
        column = Column(name=raw.name, type="string")
        remark = "has whole numbers beyond 2^53"
    return TypedColumn(raw, column, values, remark)


def _column(raw: RawColumn, texts: Sequence[str], dialect: Dialect) -> Column | None:
    """The column of the types that fit the cells, the first one first; None for text."""
    name, is_csv = raw.name, raw.type is None
    found = date_format(texts, day_first=dialect.decimal_char == "," or dialect.delimiter == ";")
    if found is not None and (is_csv or not texts[0].isdigit()):
        return Column(name=name, type=found[0], format=found[1])
    if not is_csv:
        return None
    if words := _boolean_words(texts):
        return Column(name=name, type="boolean", true_values=words[0], false_values=words[1])
    if any(map(_LEADING_ZERO.fullmatch, texts)):  # a code, such as that of a post office
        return None
    group = dialect.group_char
    is_whole = all(_WHOLE.fullmatch(text.replace(group, "") if group else text) for text in texts)
    return Column(name=name, type="integer" if is_whole else "number")


def _boolean_words(texts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The column's words for true and for false; 0 and 1 are numbers."""
    lowered = {text.lower() for text in texts}
    for true, false in _BOOLEAN_WORDS:
        if lowered <= {true, false}:
            if set(texts) <= {*TRUE_VALUES, *FALSE_VALUES}:
                return TRUE_VALUES, FALSE_VALUES
            trues = tuple(sorted(text for text in texts if text.lower() == true)) or (true,)
            falses = tuple(sorted(text for text in texts if text.lower() == false)) or (false,)
            return trues, falses
    return None


def _why_text(raw: RawColumn, texts: Sequence[str], dialect: Dialect) -> str:
    """A remark on a column that is nearly of another type than text."""
    if raw.type is not None or not texts:
        return ""
    values = _read(Column(name=raw.name), texts, dialect)
    odd = [text for text, value in zip(texts, values, strict=True) if not np.isfinite(value)]
    if len(texts) > 1 and len(odd) <= (1 - _MOSTLY) * len(texts):
        if odd:
            return f"numbers, but for texts such as {shown(odd[0])!r}: write these as numbers or leave them empty"
        if np.abs(values).max() > LARGEST_INTEGER:
            return "has whole numbers beyond 2^53"
    if are_dates_in_several_formats(texts):
        return "dates in several formats: write them in one"
    return ""


def _without_missing(column: TypedColumn, missing: frozenset[str]) -> TypedColumn:
    is_missing = np.array([text in missing for text in column.raw.texts], dtype=bool)
    return replace(column, values=np.where(is_missing, np.nan, column.values))
