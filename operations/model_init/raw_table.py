"""A table as its file has it: each column as its distinct cells, and which of them each row has."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_code.table.columns import Dialect

Codes = NDArray[np.int64]
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True, eq=False)
class RawColumn:
    name: str
    texts: list[str]
    """Distinct, without the spaces around them, in the order in which they first occur."""
    codes: Codes
    """The place of each row's cell in `texts`."""
    type: str | None = None
    """The type of a Parquet column in the words of Table Schema; None of a CSV file, which has only text."""

    @cached_property
    def counts(self) -> Codes:
        """Rows of each of `texts`."""
        return np.bincount(self.codes, minlength=len(self.texts))

    def rows(self, places: Codes) -> "RawColumn":
        """The column with these rows only."""
        used, codes = np.unique(self.codes[places], return_inverse=True)
        return RawColumn(self.name, [self.texts[code] for code in used], codes, self.type)


@dataclass(frozen=True, eq=False)
class RawTable:
    columns: list[RawColumn]
    format: Literal["csv", "parquet"]
    dialect: Dialect = field(default_factory=Dialect)
    remarks: tuple[str, ...] = ()
    """Remarks on the file as a whole."""

    @property
    def row_count(self) -> int:
        return len(self.columns[0].codes)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def rows(self, places: Codes) -> "RawTable":
        columns = [column.rows(places) for column in self.columns]
        return RawTable(columns, self.format, self.dialect, self.remarks)


class ColumnBuilder:
    """Takes cells one after another."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._places = _Places()
        self._codes: list[Codes] = []

    def add(self, cells: Sequence[str]) -> None:
        self._codes.append(np.fromiter(map(self._places.__getitem__, cells), np.int64, len(cells)))

    def column(self, type: str | None = None) -> RawColumn:
        codes = np.concatenate(self._codes) if self._codes else np.empty(0, dtype=np.int64)
        return RawColumn(self.name, self._places.texts, codes, type)


class _Places(dict[str, int]):
    """The place in `texts` of each cell, with and without spaces around it."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def __missing__(self, cell: str) -> int:
        text = cell.strip()
        if text == cell:
            place = len(self.texts)
            self.texts.append(text)
        else:
            place = self[text]
        self[cell] = place
        return place


def shown(text: str) -> str:
    """Text of a file for a terminal or a comment: on one line, bounded, and without control characters."""
    clean = "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text or "''"
    )
    return clean if len(clean) <= _SHOWN_CHARACTERS else f"{clean[:_SHOWN_CHARACTERS]}…"
